"""Pictures as a model's input, by the steps of `farm.core.preprocessing`."""

import io
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from farm.client.bfloat16 import as_bf16
from farm.client.datatypes import AnyArray, wire_dtype
from farm.core.errors import InvalidRequestError, UnsupportedError
from farm.core.preprocessing import MAX_SIDE, Preprocessing
from farm.core.tensors import Datatype

if TYPE_CHECKING:
    from PIL import Image

MAX_FILE_BYTES: Final = 64 * 2**20
# Below Pillow's own limit. A picture takes up to four bytes a pixel before it is shrunk.
MAX_PIXELS: Final = 64_000_000

_FORMATS = ("PNG", "JPEG")


def load_image(
    source: Path | bytes,
    preprocessing: Preprocessing,
    datatype: Datatype = Datatype.FP32,
    *,
    shown: str = "",
) -> AnyArray:
    """Return the picture in a PNG or JPEG file, or in its bytes, as one row of an input.

    It is turned as its EXIF orientation says; transparency is laid on white; channels have 8
    bits, the upper ones of 16-bit pictures; one channel is luminance (ITU-R 601-2). The array
    has shape [channels, height, width], or [height, width, channels] for NHWC. Integer
    datatypes are rounded and held within their range. `shown` is what messages call the
    picture.

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
