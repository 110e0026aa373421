"""What `farm top` reads and keeps in the folder of contexts: keys, and what was chosen."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from farm.core.errors import ConfigurationError

if TYPE_CHECKING:
    from tui.choices import Choices

_KEYS: Final = "top.toml"
_STATE: Final = "top-state.json"


def state_file(environment: Mapping[str, str]) -> Path:
    """Return where choices are kept."""
    from farm.contexts import FarmHome

    return FarmHome.of(environment).path / _STATE


def kept_choices(state: Path | None) -> "tuple[Choices, str]":
    """Return what was chosen before; with it, why that is not known though there is a file."""
    from tui.choices import Choices, read_choices

    try:
        return Choices() if state is None else read_choices(state), ""
    except ConfigurationError as error:
        return Choices(), f"{error.message}; what you chose before is not taken up"


def own_keys(given: Path | None, environment: Mapping[str, str]) -> Mapping[str, str]:
    """Return the operator's keys, by action: those of a file that is given, or of the usual one.

    Raises:
        ConfigurationError: the file cannot be read, or says what cannot be.
    """
    import tomllib

    from farm.contexts import FarmHome
    from tui.keys import checked_keys

    path = given or FarmHome.of(environment).path / _KEYS
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if given is None:
            return {}
        raise ConfigurationError(f"--keys: there is no file {path}") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
    keys = content.pop("keys", {})
    if content or not isinstance(keys, dict) or not all(isinstance(v, str) for v in keys.values()):
        raise ConfigurationError(
            f'{path} must hold a table [keys] of lines like quit = "ctrl+q", and nothing else'
        )
    try:
        return checked_keys(keys)
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error.message}") from error
