"""Which of the farms that this machine has bootstrapped a command means."""

import os
from typing import TYPE_CHECKING

from farm.core.errors import ConfigurationError

if TYPE_CHECKING:
    from farm.contexts import FarmHome


def farm_here(
    context: str | None, *, otherwise: str = "bootstrap one first"
) -> "tuple[FarmHome, str]":
    """Return where farms are kept, and the name of the one that a command means.

    Raises:
        ConfigurationError: it names none and none is current, or one that is not kept here;
            `otherwise` is what else to do.
    """
    from farm.contexts import FarmHome

    home = FarmHome.of(os.environ)
    farm = context or home.current()
    if farm is None:
        raise ConfigurationError(
            f"no farm is current here; name one with --context, or {otherwise}"
        )
    if not home.folder(farm).path.is_dir():
        known = ", ".join(home.farms()) or "none"
        raise ConfigurationError(
            f"there is no farm '{farm}' in {home.path} (known: {known}); name another with"
            f" --context, or {otherwise}"
        )
    return home, farm
