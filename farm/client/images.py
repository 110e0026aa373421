"""Pictures as a model's input, by the preprocessing that its author declares.

A value is made from a pixel's channel p, 0 to 255: x = p, or 255 - p where inverted; then
x * scale + offset; then (x - mean) / std.
"""

import io
import json
import math
import struct
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from farm.client.datatypes import AnyArray, as_bf16, wire_dtype
from farm.core.errors import InvalidRequestError, UnsupportedError
from farm.core.tensors import Datatype

if TYPE_CHECKING:
    from PIL import Image

MAX_FILE_BYTES: Final = 64 * 2**20
# Below Pillow's own limit. A picture takes up to four bytes a pixel before it is shrunk.
MAX_PIXELS: Final = 64_000_000
MAX_SIDE: Final = 16_384

_FORMATS = ("PNG", "JPEG")
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "layout": ("NCHW", "NHWC"),
    "resize": ("stretch", "crop"),
    "interpolation": ("nearest", "bilinear", "bicubic", "area"),
    "order": ("RGB", "BGR"),
}
_KEYS = (*_CHOICES, "height", "width", "channels", "scale", "offset", "mean", "std", "invert")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """How a picture becomes an input; `mean` and `std` have one value or one a channel.

    "stretch" ignores the picture's proportions, "crop" keeps them and cuts what stands out,
    evenly on both sides. One channel is luminance (ITU-R 601-2).
    """

    height: int
    width: int
    channels: int = 3
    layout: str = "NCHW"
    resize: str = "stretch"
    interpolation: str = "bilinear"
    order: str = "RGB"
    invert: bool = False
    scale: float = 1.0
    offset: float = 0.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)


def parse_preprocessing(text: str) -> Preprocessing:
    """Return a declaration, given as a JSON object with the names of `Preprocessing`.

    Raises:
        UnsupportedError: it is not one; the message names the key.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnsupportedError("the model's preprocessing is not JSON") from error
    if not isinstance(found, dict):
        raise _wrong("it is not a JSON object")
    for key in found:
        if key not in _KEYS:
            raise _wrong(f"'{key}' is not known here; known are {', '.join(_KEYS)}")
    channels = _integer(found, "channels", 3)
    if channels not in (1, 3):
        raise _wrong(f"'channels' is {channels}, not 1 or 3")
    return Preprocessing(
        height=_integer(found, "height", None),
        width=_integer(found, "width", None),
        channels=channels,
        invert=_flag(found, "invert"),
        scale=_number("scale", found.get("scale", 1.0)),
        offset=_number("offset", found.get("offset", 0.0)),
        mean=_by_channel(found, "mean", 0.0, channels),
        std=_by_channel(found, "std", 1.0, channels),
        **{key: _choice(found, key) for key in _CHOICES},
    )


def load_image(
    source: Path | bytes,
    preprocessing: Preprocessing,
    datatype: Datatype = Datatype.FP32,
    *,
    shown: str = "",
) -> AnyArray:
    """Return the picture in a PNG or JPEG file, or in its bytes, as one row of an input.

    It is turned as its EXIF orientation says; transparency is laid on white; 16-bit pictures
    lose their lower bits. The array has shape [channels, height, width], or [height, width,
    channels] for NHWC. Integer datatypes are rounded and held within their range. `shown` is
    what messages call the picture.

    Raises:
        InvalidRequestError: it cannot be read, is damaged or too large.
        ModuleNotFoundError: Pillow is not installed.
    """
    shown = shown or (str(source) if isinstance(source, Path) else "the picture")
    image = _open(_content(source, shown), shown)
    pixels = np.asarray(_resized(_in_channels(image, preprocessing), preprocessing), np.float64)
    pixels = pixels.reshape(preprocessing.height, preprocessing.width, preprocessing.channels)
    if preprocessing.order == "BGR":
        pixels = pixels[:, :, ::-1]
    if preprocessing.invert:
        pixels = 255.0 - pixels
    with np.errstate(all="ignore"):
        scaled = pixels * preprocessing.scale + preprocessing.offset
        values = (scaled - np.asarray(preprocessing.mean)) / np.asarray(preprocessing.std)
        if preprocessing.layout == "NCHW":
            values = values.transpose(2, 0, 1)
        return _cast(values, datatype)


def is_image(content: bytes) -> bool:
    """Return whether bytes begin as a PNG or JPEG file does."""
    return content.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"))


def _content(source: Path | bytes, shown: str) -> bytes:
    try:
        content = source.read_bytes() if isinstance(source, Path) else source
    except OSError as error:
        raise InvalidRequestError(f"{shown} cannot be read: {error.strerror}") from error
    if len(content) > MAX_FILE_BYTES:
        raise InvalidRequestError(
            f"{shown} has {len(content)} bytes; pictures may have {MAX_FILE_BYTES}"
        )
    return content


def _open(content: bytes, shown: str) -> "Image.Image":
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        # The size is known before anything is decoded.
        image = Image.open(io.BytesIO(content), formats=_FORMATS)
        width, height = image.size
        if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
            raise _too_large(shown, f"{width}×{height}")
        image.load()
        return ImageOps.exif_transpose(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(shown, "many more") from error
    except UnidentifiedImageError as error:
        raise InvalidRequestError(f"{shown} is neither a PNG nor a JPEG file") from error
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error) as error:
        raise InvalidRequestError(
            f"{shown} is damaged or cut short and cannot be decoded; get it again"
        ) from error


def _too_large(shown: str, pixels: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"{shown} has {pixels} pixels; at most {MAX_PIXELS} are decoded, and {MAX_SIDE} on a side."
        " Shrink it first"
    )


def _in_channels(image: "Image.Image", preprocessing: Preprocessing) -> "Image.Image":
    """Return a picture of 8-bit luminance or RGB."""
    from PIL import Image

    if image.mode.startswith("I"):
        samples = np.asarray(image).astype(np.uint32)
        image = Image.fromarray(np.minimum(samples >> 8, 255).astype(np.uint8))
    if image.has_transparency_data:
        opaque = image.convert("RGBA")
        white = Image.new("RGBA", opaque.size, "white")
        image = Image.alpha_composite(white, opaque)
    return image.convert("L" if preprocessing.channels == 1 else "RGB")


def _resized(image: "Image.Image", preprocessing: Preprocessing) -> "Image.Image":
    from PIL import Image, ImageOps

    filters = {
        "nearest": Image.Resampling.NEAREST,
        "bilinear": Image.Resampling.BILINEAR,
        "bicubic": Image.Resampling.BICUBIC,
        "area": Image.Resampling.BOX,
    }
    size = (preprocessing.width, preprocessing.height)
    chosen = filters[preprocessing.interpolation]
    if preprocessing.resize == "crop":
        return ImageOps.fit(image, size, method=chosen)
    return image.resize(size, chosen)


def _cast(values: "np.ndarray[Any, np.dtype[np.float64]]", datatype: Datatype) -> AnyArray:
    if datatype is Datatype.BF16:
        return as_bf16(values)
    if datatype in (Datatype.BYTES, Datatype.BOOL):
        raise UnsupportedError(f"an input of {datatype} cannot hold a picture")
    dtype = wire_dtype(datatype)
    if dtype.kind == "f":
        return np.ascontiguousarray(values, dtype=dtype)
    bounds = np.iinfo(dtype)
    return np.ascontiguousarray(np.clip(np.rint(values), bounds.min, bounds.max), dtype=dtype)


def _wrong(why: str) -> UnsupportedError:
    return UnsupportedError(f"the model's preprocessing cannot be applied: {why}")


def _choice(found: Mapping[str, Any], key: str) -> Any:
    choices = _CHOICES[key]
    defaults = {"interpolation": "bilinear"}
    value = found.get(key, defaults.get(key, choices[0]))
    if value not in choices:
        raise _wrong(f"'{key}' is {value!r:.40}, not one of {', '.join(choices)}")
    return value


def _integer(found: Mapping[str, Any], key: str, default: int | None) -> int:
    value = found.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= MAX_SIDE:
        raise _wrong(f"'{key}' must be an integer from 1 to {MAX_SIDE}")
    return value


def _flag(found: Mapping[str, Any], key: str) -> bool:
    value = found.get(key, False)
    if not isinstance(value, bool):
        raise _wrong(f"'{key}' must be true or false")
    return value


def _number(key: str, value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        with suppress(OverflowError):
            number = float(value)
            if math.isfinite(number):
                return number
    raise _wrong(f"'{key}' must hold finite numbers")


def _by_channel(
    found: Mapping[str, Any], key: str, default: float, channels: int
) -> tuple[float, ...]:
    given = found.get(key, default)
    values = tuple(_number(key, value) for value in (given if isinstance(given, list) else [given]))
    if len(values) not in (1, channels):
        raise _wrong(f"'{key}' has {len(values)} values for {channels} channels")
    if key == "std" and 0.0 in values:
        raise _wrong("'std' holds a 0")
    return values
