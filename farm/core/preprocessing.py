"""How an image becomes a model's input: what a `farm.preprocessing.<input>` parameter declares.

The steps, in this order, for pixels of 0 to 255: convert to `channels`, in `order`; scale
to `height` × `width`, by `resize` with `interpolation`; `invert` to 255 - x; x · `scale` +
`offset`; (x - `mean`) / `std` by channel; arrange as `layout`. `crop` scales the shorter
side and cuts out the centre, `stretch` scales both sides. One channel is luminance.
"""

import json
from collections.abc import Callable
from dataclasses import MISSING, asdict, dataclass, fields
from math import isfinite
from typing import Any, Final

from farm.core.errors import ConfigurationError

MAX_SIDE: Final = 16_384

_CHANNELS: Final = (1, 3)
_MAX_SHOWN: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """A declaration, as `parse` has checked it; `mean` and `std` have a number a channel."""

    layout: str
    height: int
    width: int
    channels: int
    order: str = "RGB"
    resize: str = "stretch"
    interpolation: str = "bilinear"
    invert: bool = False
    scale: float = 1.0
    offset: float = 0.0
    mean: tuple[float, ...]
    std: tuple[float, ...]


def parse(text: str) -> Preprocessing:
    """Return a declaration, given as a JSON object with the names of `Preprocessing`.

    `mean` and `std` may be left out.

    Raises:
        ConfigurationError: it is not of this grammar; the message names the key.
    """
    declared = _object(text)
    if unknown := sorted(declared.keys() - _CHECKS.keys()):
        raise ConfigurationError(
            f"it has the unknown key {_shown(unknown[0])}; known are {', '.join(_CHECKS)}"
        )
    if missing := [key for key in _REQUIRED if key not in declared]:
        raise ConfigurationError(f"it lacks {', '.join(missing)}; add what is missing")
    for key, value in declared.items():
        holds, wanted = _CHECKS[key]
        if not holds(value):
            raise ConfigurationError(f"{key} is {_shown(value)}; it must be {wanted}")
    numbers = {key: float(declared[key]) for key in ("scale", "offset") if key in declared}
    by_channel = {key: _by_channel(declared, key, neutral) for key, neutral in _NEUTRAL.items()}
    complete: dict[str, Any] = declared | numbers | by_channel
    return Preprocessing(**complete)


def to_json(preprocessing: Preprocessing) -> str:
    """Return a declaration as JSON with every key written out: the inverse of `parse`."""
    return json.dumps(asdict(preprocessing))


def _object(text: str) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) < len(pairs):
            raise ValueError("a key is there twice")
        return values

    try:
        value = json.loads(text, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"it is not JSON ({error}); correct it") from error
    if not isinstance(value, dict):
        raise ConfigurationError(f"it must be a JSON object with {', '.join(_REQUIRED)}")
    return value


def _by_channel(declared: dict[str, Any], key: str, neutral: float) -> tuple[float, ...]:
    channels = declared["channels"]
    values = declared.get(key, [neutral] * channels)
    if len(values) != channels:
        raise ConfigurationError(
            f"{key} has {len(values)} numbers for {channels} channels; write one number a channel"
        )
    return tuple(float(value) for value in values)


def _shown(value: Any) -> str:
    """Return a value as JSON, short and printable: of ASCII, only DEL is left unescaped."""
    text = json.dumps(value).replace("\x7f", "\\u007f")
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return isfinite(value)
    except OverflowError:
        return False


def _is_side(value: Any) -> bool:
    return type(value) is int and 1 <= value <= MAX_SIDE


def _are_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(_is_number(number) for number in value)


def _are_divisors(value: Any) -> bool:
    return _are_numbers(value) and all(number > 0 for number in value)


def _one_of(*words: str) -> tuple[Callable[[Any], bool], str]:
    def holds(value: Any) -> bool:
        return isinstance(value, str) and value in words

    return holds, " or ".join(f'"{word}"' for word in words)


_SIDE: Final = (_is_side, f"a whole number from 1 to {MAX_SIDE}")
_NUMBER: Final = (_is_number, "a finite number")

_CHECKS: Final[dict[str, tuple[Callable[[Any], bool], str]]] = {
    "layout": _one_of("NCHW", "NHWC"),
    "height": _SIDE,
    "width": _SIDE,
    "channels": (lambda value: type(value) is int and value in _CHANNELS, "1 or 3"),
    "order": _one_of("RGB", "BGR"),
    "resize": _one_of("stretch", "crop"),
    "interpolation": _one_of("nearest", "bilinear", "bicubic", "area"),
    "invert": (lambda value: isinstance(value, bool), "true or false"),
    "scale": _NUMBER,
    "offset": _NUMBER,
    "mean": (_are_numbers, "a list of finite numbers"),
    "std": (_are_divisors, "a list of finite numbers above 0"),
}
_NEUTRAL: Final = {"mean": 0.0, "std": 1.0}
_REQUIRED: Final = tuple(
    field.name
    for field in fields(Preprocessing)
    if field.default is MISSING and field.name not in _NEUTRAL
)
