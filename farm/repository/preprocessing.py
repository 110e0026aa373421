"""How an image becomes a model's input: the JSON of a `farm.preprocessing.<input>` parameter.

The steps, in this order, for pixels of 0 to 255: convert to `channels`, in `order`; scale
to `height` × `width`, by `resize` with `interpolation`; `invert` to 255 - x; x · `scale` +
`offset`; (x - `mean`) / `std` by channel; arrange as `layout`. `crop` scales the shorter
side and cuts out the centre, `stretch` scales both sides.
"""

import json
from collections.abc import Callable
from math import isfinite
from typing import Any, Final

from farm.core.errors import ConfigurationError
from farm.repository.names import shown

_MAX_SIDE: Final = 16_384
_CHANNELS: Final = (1, 3)


def preprocessing_json(text: str, *, where: str) -> str:
    """Return a declaration as JSON with every key written out, in the order of the steps.

    Raises:
        ConfigurationError: it is not of this grammar; the message names the key.
    """
    declared = _object(text, where)
    if unknown := sorted(declared.keys() - _CHECKS.keys()):
        raise ConfigurationError(
            f"{where} has the unknown key '{shown(unknown[0])}'; known are {', '.join(_CHECKS)}"
        )
    if missing := [key for key in _REQUIRED if key not in declared]:
        raise ConfigurationError(f"{where} lacks {', '.join(missing)}; add what is missing")
    for key, value in declared.items():
        holds, wanted = _CHECKS[key]
        if not holds(value):
            raise ConfigurationError(
                f"{where}: {key} is {shown(json.dumps(value))}; it must be {wanted}"
            )
    channels = declared["channels"]
    for key, neutral in (("mean", 0), ("std", 1)):
        values = declared.setdefault(key, [neutral] * channels)
        if len(values) != channels:
            raise ConfigurationError(
                f"{where}: {key} has {len(values)} numbers for {channels} channels; write one"
                " number a channel"
            )
    complete = {key: declared.get(key, _DEFAULTS.get(key)) for key in _CHECKS}
    return json.dumps(complete)


def _object(text: str, where: str) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) < len(pairs):
            raise ValueError("a key is there twice")
        return values

    try:
        value = json.loads(text, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(
            f"{where} is not JSON ({shown(str(error))}); correct it"
        ) from error
    if not isinstance(value, dict):
        raise ConfigurationError(f"{where} must be a JSON object with {', '.join(_REQUIRED)}")
    return value


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return isfinite(value)
    except OverflowError:
        return False


def _is_side(value: Any) -> bool:
    return type(value) is int and 1 <= value <= _MAX_SIDE


def _are_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(_is_number(number) for number in value)


def _are_divisors(value: Any) -> bool:
    return _are_numbers(value) and all(number > 0 for number in value)


def _one_of(*words: str) -> tuple[Callable[[Any], bool], str]:
    def holds(value: Any) -> bool:
        return isinstance(value, str) and value in words

    return holds, " or ".join(f'"{word}"' for word in words)


_SIDE: Final = (_is_side, f"a whole number from 1 to {_MAX_SIDE}")
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
_REQUIRED: Final = ("layout", "height", "width", "channels")
_DEFAULTS: Final = {
    "order": "RGB",
    "resize": "stretch",
    "interpolation": "bilinear",
    "invert": False,
    "scale": 1,
    "offset": 0,
}
