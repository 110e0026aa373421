"""A configuration in layers: a file, over it the environment, over that the command line."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from farm.core.errors import ConfigurationError
from farm.sections.problems import reason, section_at, unknown_key

_PREFIX: Final = "FARM_"
_ENVIRONMENT, _COMMAND_LINE = "the environment", "the command line"

Form = TypeVar("Form", bound=BaseModel)


class Layers(Generic[Form]):
    """What a file, the environment and flags say of the settings of a form.

    The environment's `FARM_NODE__SLOTS` sets `slots` of `node`; variables that name no setting
    are somebody else's. Flags that are None were not given.
    """

    def __init__(
        self,
        form: type[Form],
        *,
        file: Path | None,
        environment: Mapping[str, str],
        flags: Mapping[str, Any],
    ) -> None:
        """Read the file.

        Raises:
            ConfigurationError: it cannot be read, or a variable contradicts another one.
        """
        self._form = form
        layers: list[tuple[str, Mapping[str, Any]]] = []
        if file is not None:
            layers.append((str(file), _read(file)))
        layers.append((_ENVIRONMENT, _from_environment(environment, form.model_fields)))
        layers.append((_COMMAND_LINE, {k: v for k, v in flags.items() if v is not None}))
        self._layers = layers

    def settings(self) -> Form:
        """Return the settings, each from the last layer that has it.

        Raises:
            ConfigurationError: values are wrong; the message names the place of each one.
        """
        merged: Mapping[str, Any] = {}
        for _, values in self._layers:
            merged = _merge(merged, values)
        try:
            return self._form.model_validate(merged)
        except ValidationError as error:
            raise ConfigurationError(self._explain(error)) from error

    def place(self, path: Sequence[str | int]) -> str:
        """Return where a setting stands, as its layer spells it; of a missing one, its section."""
        source, words = self._source(path), [str(part) for part in path]
        if source == _ENVIRONMENT:
            return _variable(words)
        if source == _COMMAND_LINE:
            return "--" + "-".join(words).replace("_", "-")
        return f"{source}: {'.'.join(words)}"

    def _source(self, path: Sequence[str | int]) -> str:
        for length in range(len(path), 0, -1):
            holders = [name for name, values in self._layers if _holds(values, path[:length])]
            if holders:
                return holders[-1]
        return ""

    def _explain(self, error: ValidationError) -> str:
        lines = []
        for problem in error.errors():
            path = problem["loc"]
            said = reason(problem)
            if problem["type"] == "extra_forbidden":
                said = unknown_key(str(path[-1]), section_at(self._form, path[:-1]), "setting")
            lines.append(f"{self.place(path)}: {said}" if path else said)
        return "; ".join(lines)


def _read(file: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} is not YAML: {error}") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigurationError(f"{file} must be a mapping of settings, like `grpc: HOST:PORT`")
    return values


def _from_environment(environment: Mapping[str, str], known: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for variable, value in environment.items():
        # An empty variable is one that somebody unset; as a path it would be this folder.
        if not variable.startswith(_PREFIX) or not value:
            continue
        *sections, key = variable.removeprefix(_PREFIX).lower().split("__")
        top = sections[0] if sections else key
        if top not in known:
            continue
        place = values
        for section in sections:
            inner = place.setdefault(section, {})
            if not isinstance(inner, dict):
                raise ConfigurationError(
                    f"{_variable([section])} and {variable} are both set; `{section}` is a section,"
                    f" so set only {_variable([section])}__… variables"
                )
            place = inner
        if isinstance(place.get(key), dict):
            raise ConfigurationError(
                f"{variable} and {variable}__… are both set; `{key}` is a section, so set only the"
                " latter"
            )
        place[key] = value
    return values


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        known = merged.get(key)
        if isinstance(known, Mapping) and isinstance(value, Mapping):
            merged[key] = _merge(known, value)
        else:
            merged[key] = value
    return merged


def _holds(values: Any, path: Sequence[str | int]) -> bool:
    for part in path:
        if isinstance(values, list) and isinstance(part, int):
            if part >= len(values):
                return False
            values = values[part]
            continue
        if not isinstance(values, Mapping):
            return False
        # A key of a file need be no word.
        by_word = {str(key): value for key, value in values.items()}
        if str(part) not in by_word:
            return False
        values = by_word[str(part)]
    return True


def _variable(path: Sequence[str]) -> str:
    return _PREFIX + "__".join(path).upper()
