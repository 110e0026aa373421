"""How an operator likes the screen, from one start to the next."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from farm.core.errors import ConfigurationError
from farm.core.private_files import PRIVATE, replace_file

# A file of a later one may mean something else by the same words.
_VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What was chosen by hand; what was not is empty, or 0.

    Columns are named by their ids, a theme and a baseline by their names. Screens pass over what
    they do not know: another version of them may have written it.
    """

    theme: str = ""
    columns: tuple[str, ...] = ()
    sort: str = ""
    reverse: bool = False
    models_sort: str = ""
    models_reverse: bool = False
    baseline: str = ""
    period_s: int = 0
    span_s: int = 0


def read_choices(path: Path) -> Choices:
    """Return what was kept; nothing where there is no file.

    Raises:
        ConfigurationError: it cannot be read, is damaged, or another version wrote it.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version = content.pop("version")
        if version == _VERSION:
            return Choices(**{key: _value(key, value) for key, value in content.items()})
    except FileNotFoundError:
        return Choices()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise ConfigurationError(f"{path} is damaged") from error
    raise ConfigurationError(f"{path} was written by another version of farm top")


def write_choices(path: Path, choices: Choices) -> None:
    """Keep choices in a file for its owner alone.

    Raises:
        ConfigurationError: it cannot be written.
    """
    content = json.dumps({"version": _VERSION, **asdict(choices)}, indent=2) + "\n"
    replace_file(path, content.encode(), mode=PRIVATE)


_DEFAULTS: Final = {field.name: field.default for field in fields(Choices)}


def _value(name: str, value: Any) -> Any:
    """Return a value as the field of its name has it.

    Raises:
        KeyError: there is no such field.
        TypeError: the field has no such values.
    """
    if name == "columns":
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise TypeError(name)
        return tuple(value)
    if type(value) is not type(_DEFAULTS[name]):
        raise TypeError(name)
    return value
