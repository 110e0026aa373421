"""The grammar of a declaration of how an image becomes an input."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.core.errors import ConfigurationError
from farm.core.preprocessing import Preprocessing, parse, to_json

LEAST = {"layout": "NCHW", "height": 8, "width": 6, "channels": 3}


def problem(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    with pytest.raises(ConfigurationError) as caught:
        parse(text)
    assert caught.value.message.isprintable()
    return caught.value.message


def test_what_is_left_out_changes_nothing() -> None:
    found = parse(json.dumps(LEAST))
    assert found == Preprocessing(
        layout="NCHW", height=8, width=6, channels=3, order="RGB", resize="stretch",
        interpolation="bilinear", invert=False, scale=1.0, offset=0.0, mean=(0.0,) * 3,
        std=(1.0,) * 3,
    )  # fmt: skip


def test_what_is_declared_stands() -> None:
    declared = {
        "layout": "NHWC",
        "height": 28,
        "width": 28,
        "channels": 1,
        "order": "BGR",
        "resize": "crop",
        "interpolation": "area",
        "invert": True,
        "scale": 0.003921,
        "offset": -1.5,
        "mean": [0.5],
        "std": [0.25],
    }
    found = parse(json.dumps(declared))
    assert (found.mean, found.std, found.invert) == ((0.5,), (0.25,), True)
    assert json.loads(to_json(found)) == declared


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"layout": "CHW"}, 'layout is "CHW"; it must be "NCHW" or "NHWC"'),
        ({"layout": ["NCHW"]}, "layout is"),
        ({"height": 0}, "height is 0"),
        ({"height": 8.0}, "height is 8.0"),
        ({"width": True}, "width is true"),
        ({"width": 16385}, "width is 16385"),
        ({"channels": 4}, "channels is 4; it must be 1 or 3"),
        ({"channels": None}, "channels is null"),
        ({"resize": "pad"}, "resize is"),
        ({"interpolation": "lanczos"}, "interpolation is"),
        ({"scale": "1"}, 'scale is "1"'),
        ({"scale": False}, "scale is false"),
        ({"scale": 10**400}, "scale is 1000"),
        ({"offset": float("nan")}, "offset is NaN"),
        ({"offset": float("inf")}, "offset is Infinity"),
        ({"mean": [0, 0]}, "mean has 2 numbers for 3 channels"),
        ({"mean": [0, 0, "0"]}, "mean is"),
        ({"std": [1, 1, 0]}, "std is [1, 1, 0]; it must be a list of finite numbers above 0"),
        ({"std": 1}, "std is 1"),
        ({"invert": 1}, "invert is 1"),
        ({"order": "rgb"}, "order is"),
        ({"colour": "RGB"}, 'unknown key "colour"'),
        ({"\x7f\n\u202e": 1}, r'unknown key "\u007f\n\u202e"'),
    ],
)
def test_a_wrong_value_names_its_key(change: dict[str, Any], part: str) -> None:
    assert part in problem({**LEAST, **change})


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "is not JSON"),
        ("none: as it is", "is not JSON"),
        ("[]", "must be a JSON object"),
        ("{" * 100_000, "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ('{"layout": "NCHW", "layout": "NHWC"}', "a key is there twice"),
        ('{"layout": "NCHW"}', "lacks height, width, channels"),
        ('{"scale": ' + "9" * 5000 + "}", "is not JSON"),
    ],
)
def test_what_is_no_declaration_is_refused(text: str, part: str) -> None:
    assert part in problem(text)


@settings(deadline=None)
@given(
    value=st.dictionaries(
        st.sampled_from([*LEAST, "mean", "std", "scale", "invert"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.lists(st.floats()),
    )
)
def test_anything_is_read_or_refused(value: dict[str, Any]) -> None:
    try:
        found = parse(json.dumps({**LEAST, **value}))
    except ConfigurationError as error:
        assert error.message.isprintable()
    else:
        assert parse(to_json(found)) == found
