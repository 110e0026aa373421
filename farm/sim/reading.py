"""YAML files read and checked once, at the edge; an error names the file and the key."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from farm.core.errors import ConfigurationError

Above = Annotated[float, Field(gt=0, allow_inf_nan=False)]
FromZero = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Section(BaseModel):
    """Part of a file: immutable, and without keys that nobody knows."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Form = TypeVar("Form", bound=Section)

# A section whose `kind` is missing, or none that there is.
_UNTOLD = ("union_tag_not_found", "union_tag_invalid")


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
            f"{_place(name, p['loc'], p['type'], values)}:"
            f" {_reason(p['type'], p['msg'], p['input'], p.get('ctx', {}))}"
            for p in error.errors()
        )
        raise ConfigurationError("; ".join(problems)) from error


def _place(name: str, location: tuple[int | str, ...], kind: str, values: Any) -> str:
    """Return where in a file something is: pydantic's own place, but for what no file has."""
    path = ""
    found = values
    for part in (*location, "kind") if kind in _UNTOLD else location:
        # A mapping's key that is itself wrong, or what a section is told apart by.
        if part == "[key]" or (isinstance(found, Mapping) and found.get("kind") == part):
            continue
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
        if isinstance(found, Mapping):
            found = found.get(part)
        elif isinstance(found, list) and isinstance(part, int):
            found = found[part]
    return f"{name}: {path}" if path else name


def _reason(kind: str, message: str, value: object, context: Mapping[str, Any]) -> str:
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    if kind == "extra_forbidden":
        return "there is no such key"
    if kind in _UNTOLD:
        given = f"there is no '{context['tag']}'" if "tag" in context else "Field required"
        known = context.get("expected_tags")
        return f"{given}; known are {known}" if known else given
    return f"{message}, not {value!r:.60}"
