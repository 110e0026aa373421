"""YAML files read and checked once, at the edge; an error names the file and the key."""

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from farm.core.errors import ConfigurationError


class Section(BaseModel):
    """Part of a file: immutable, and without keys that nobody knows."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Form = TypeVar("Form", bound=Section)


def read_yaml(file: Path, form: type[Form]) -> Form:
    """Return a file's content as `form`.

    Raises:
        ConfigurationError: it cannot be read or a value is wrong; the message names both.
    """
    try:
        return parse_yaml(file.read_text(encoding="utf-8"), form, name=str(file))
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file} is not YAML: {error}") from error


def parse_yaml(text: str, form: type[Form], *, name: str) -> Form:
    """Return `text`, which came from the file `name`, as `form`.

    Raises:
        ConfigurationError: a value is wrong; the message names the file and the key.
    """
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{name} is not YAML: {error}") from error
    if not isinstance(values, dict):
        raise ConfigurationError(f"{name} must be a mapping of keys to values")
    try:
        return form.model_validate(values)
    except ValidationError as error:
        problems = (
            f"{_place(name, p['loc'])}: {_reason(p['type'], p['msg'], p['input'])}"
            for p in error.errors()
        )
        raise ConfigurationError("; ".join(problems)) from error


def _place(name: str, location: tuple[int | str, ...]) -> str:
    path = ""
    for part in location:
        if part == "[key]":
            # What pydantic adds where a mapping's key itself is wrong.
            continue
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return f"{name}: {path}" if path else name


def _reason(kind: str, message: str, value: object) -> str:
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    return f"{message}, not {value!r:.60}"
