"""The certificates of a farm that this machine knows: what `farm certs` lists and revokes."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from farm.core.errors import ConfigurationError

if TYPE_CHECKING:
    from farm.contexts import FarmFolder, FarmHome


def farm_here(context: str | None) -> "tuple[FarmHome, str]":
    """Return the farm that a command means.

    Raises:
        ConfigurationError: it names none and none is current.
    """
    from farm.contexts import FarmHome

    home = FarmHome.of(os.environ)
    farm = context or home.current()
    if farm is None:
        raise ConfigurationError(
            "no farm is current here; name one with --context, or bootstrap one first"
        )
    return home, farm


def kept_certificates(folder: "FarmFolder") -> list[tuple[str, Path]]:
    """Return what is kept of a farm's certificates, each with what it is."""
    from farm.pki import CA_FILE

    files = [("CA", folder.authority / CA_FILE), ("operator here", folder.operator_certificate)]
    files += [("issued", path) for path in sorted(folder.issued.glob("*.pem"))]
    return [(what, path) for what, path in files if path.exists()]
