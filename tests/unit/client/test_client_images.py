"""Pictures become exactly the numbers that a model's author declares."""

import contextlib
import io
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from farm.client.bfloat16 import as_numbers
from farm.client.inputs.images import is_image, load_image
from farm.core.errors import InvalidRequestError, UnsupportedError
from farm.core.preprocessing import MAX_SIDE, Preprocessing, parse
from farm.core.tensors import Datatype

PIXELS = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3) * 14

NOISE = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)


def encoded(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def rgb(pixels: Any = PIXELS, form: str = "PNG") -> bytes:
    return encoded(Image.fromarray(np.asarray(pixels, np.uint8)), form)


def plain(**changed: Any) -> Preprocessing:
    least = {"layout": "NCHW", "height": 2, "width": 3, "channels": 3}
    return parse(json.dumps(least | changed))


def test_without_more_words_pixels_are_values_in_nchw() -> None:
    found = load_image(rgb(), plain())
    assert (found.shape, found.dtype) == ((3, 2, 3), np.float32)
    np.testing.assert_array_equal(found, PIXELS.transpose(2, 0, 1))


def test_layout_and_order() -> None:
    found = load_image(rgb(), plain(layout="NHWC", order="BGR"))
    np.testing.assert_array_equal(found, PIXELS[:, :, ::-1])


def test_the_formula() -> None:
    found = load_image(
        rgb(),
        plain(invert=True, scale=1 / 255, offset=-0.5, mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 2.0)),
        Datatype.FP64,
    )
    scaled = (255.0 - PIXELS) / 255 - 0.5
    expected = (scaled - [0.1, 0.2, 0.3]) / [0.5, 0.25, 2.0]
    np.testing.assert_allclose(found, expected.transpose(2, 0, 1), rtol=1e-12)


def test_integers_are_rounded_and_held_within_their_range() -> None:
    found = load_image(rgb(), plain(scale=2.0, offset=-100.4), Datatype.INT8)
    expected = np.clip(np.rint(PIXELS * 2.0 - 100.4), -128, 127).transpose(2, 0, 1)
    assert found.dtype == np.int8
    np.testing.assert_array_equal(found, expected)


def test_what_a_type_cannot_hold_is_infinite() -> None:
    found = load_image(rgb(np.full((2, 3, 3), 255)), plain(scale=1e300), Datatype.FP16)
    assert np.isinf(found).all()


def test_short_floats() -> None:
    assert load_image(rgb(), plain(), Datatype.FP16).dtype == np.float16
    found = as_numbers(load_image(rgb(), plain(scale=0.5), Datatype.BF16))
    np.testing.assert_allclose(found, PIXELS.transpose(2, 0, 1) * 0.5, rtol=2**-8)


@pytest.mark.parametrize("datatype", [Datatype.BYTES, Datatype.BOOL])
def test_an_input_that_cannot_hold_a_picture(datatype: Datatype) -> None:
    with pytest.raises(UnsupportedError, match=f"an input of {datatype}"):
        load_image(rgb(), plain(), datatype)


def test_grey_is_luminance() -> None:
    found = load_image(rgb(), plain(channels=1))
    assert found.shape == (1, 2, 3)
    expected = PIXELS @ np.array([0.299, 0.587, 0.114])
    np.testing.assert_allclose(found[0], expected, atol=1.0)


def test_grey_pictures_have_three_equal_channels_if_asked() -> None:
    grey = encoded(Image.fromarray(PIXELS[:, :, 0]))
    found = load_image(grey, plain())
    np.testing.assert_array_equal(found, np.stack([PIXELS[:, :, 0]] * 3))


def test_jpeg_is_read() -> None:
    found = load_image(rgb(np.full((2, 3, 3), 200), "JPEG"), plain())
    np.testing.assert_allclose(found, 200, atol=3)


def test_transparency_is_laid_on_white() -> None:
    pixels = np.zeros((2, 3, 4), np.uint8)
    pixels[0, :, 3] = 255
    found = load_image(rgb(pixels), plain())
    assert found[:, 0].tolist() == [[0.0] * 3] * 3
    assert found[:, 1].tolist() == [[255.0] * 3] * 3


def test_sixteen_bits_become_eight() -> None:
    deep = encoded(Image.fromarray(np.array([[0, 256 * 7, 65535]], np.uint16)))
    found = load_image(deep, plain(height=1, channels=1))
    assert found.tolist() == [[[0.0, 7.0, 255.0]]]


def test_a_palette_is_looked_up() -> None:
    image = Image.fromarray(PIXELS).quantize(6)
    found = load_image(encoded(image), plain())
    np.testing.assert_array_equal(found, np.asarray(image.convert("RGB")).transpose(2, 0, 1))


@pytest.mark.parametrize(("orientation", "turned"), [(3, 2), (6, 3), (8, 1)])
def test_exif_orientation_is_honoured(orientation: int, turned: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(Image.fromarray(PIXELS), exif=exif)
    expected = np.rot90(PIXELS, turned)
    height, width, _ = expected.shape
    found = load_image(content, plain(height=height, width=width))
    np.testing.assert_array_equal(found, expected.transpose(2, 0, 1))


@pytest.mark.parametrize(
    ("name", "resampling"),
    [
        ("nearest", Image.Resampling.NEAREST),
        ("bilinear", Image.Resampling.BILINEAR),
        ("bicubic", Image.Resampling.BICUBIC),
        ("area", Image.Resampling.BOX),
    ],
)
def test_stretching(name: str, resampling: Image.Resampling) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8))
    found = load_image(encoded(image), plain(height=4, width=5, interpolation=name))
    expected = np.asarray(image.resize((5, 4), resampling))
    np.testing.assert_array_equal(found, expected.transpose(2, 0, 1))


def test_cropping_keeps_the_middle() -> None:
    pixels = np.zeros((2, 6, 3), np.uint8)
    pixels[:, 2:4] = 255
    found = load_image(rgb(pixels), plain(height=2, width=2, resize="crop"))
    np.testing.assert_array_equal(found, np.full((3, 2, 2), 255.0))


# -- bad files ------------------------------------------------------------------------


def test_a_path_is_read_and_named(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(rgb())
    assert load_image(path, plain()).shape == (3, 2, 3)
    with pytest.raises(InvalidRequestError, match=r"none\.png cannot be read"):
        load_image(tmp_path / "none.png", plain())
    path.write_bytes(rgb(NOISE)[:-500])
    with pytest.raises(InvalidRequestError, match=r"a\.png is damaged"):
        load_image(path, plain())


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9])
def test_a_file_cut_short_is_damaged(form: str, kept: float) -> None:
    content = rgb(NOISE, form)
    with pytest.raises(InvalidRequestError, match=r"is damaged|neither a PNG nor a JPEG"):
        load_image(content[: int(len(content) * kept)], plain())


def test_damaged_bytes_never_escape_as_anything_else() -> None:
    generator = np.random.default_rng(1)
    for form in ("PNG", "JPEG"):
        content = rgb(NOISE, form)
        for _ in range(200):
            damaged = bytearray(content)
            for position in generator.integers(0, len(content), 4):
                damaged[position] = generator.integers(0, 256)
            with contextlib.suppress(InvalidRequestError):
                load_image(bytes(damaged), plain())


@pytest.mark.parametrize("content", [b"", b"text", b"GIF89a" + bytes(50), b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture(content: bytes) -> None:
    with pytest.raises(InvalidRequestError, match=r"neither a PNG nor a JPEG|is damaged"):
        load_image(content, plain())


@pytest.mark.parametrize("size", [(8_100, 8_100), (20_000, 20_000), (MAX_SIDE + 1, 1)])
def test_a_bomb_is_refused_before_it_is_decoded(size: tuple[int, int]) -> None:
    # A header alone: were it decoded, it would be found damaged.
    content = bytearray(encoded(Image.new("L", (1, 1))))
    content[16:24] = size[0].to_bytes(4, "big") + size[1].to_bytes(4, "big")
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    with pytest.raises(InvalidRequestError, match="pixels; at most"):
        load_image(bytes(content), plain())


def test_a_picture_is_told_by_its_first_bytes() -> None:
    assert is_image(rgb())
    assert is_image(rgb(form="JPEG"))
    assert not is_image(b"[1]")
