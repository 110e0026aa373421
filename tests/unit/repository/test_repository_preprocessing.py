"""What a config says to the farm alone: the ABI, and how images become inputs."""

import json
from typing import Any

import pytest
from config_parsing import parse, refusal
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.core.errors import ConfigurationError
from farm.repository.preprocessing import preprocessing_json

LEAST = {"layout": "NCHW", "height": 8, "width": 6, "channels": 3}


def parameter(name: str, value: str) -> str:
    return f'parameters {{ key: "{name}" value {{ string_value: {json.dumps(value)} }} }}'


def problem(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    with pytest.raises(ConfigurationError) as caught:
        preprocessing_json(text, where="it")
    assert caught.value.message.isprintable()
    return caught.value.message


def test_defaults_are_written_out() -> None:
    assert json.loads(preprocessing_json(json.dumps(LEAST), where="it")) == {
        **LEAST,
        "order": "RGB",
        "resize": "stretch",
        "interpolation": "bilinear",
        "invert": False,
        "scale": 1,
        "offset": 0,
        "mean": [0, 0, 0],
        "std": [1, 1, 1],
    }


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
    assert json.loads(preprocessing_json(json.dumps(declared), where="it")) == declared


def test_it_is_kept_by_input() -> None:
    parsed = parse(parameter("farm.preprocessing.image", json.dumps(LEAST)))
    assert list(parsed.preprocessing) == ["image"]
    assert parsed.warnings == ()


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
        ({"scale": 10**400}, "scale is"),
        ({"offset": float("nan")}, "offset is NaN"),
        ({"offset": float("inf")}, "offset is Infinity"),
        ({"mean": [0, 0]}, "mean has 2 numbers for 3 channels"),
        ({"mean": [0, 0, "0"]}, "mean is"),
        ({"std": [1, 1, 0]}, "std is [1, 1, 0]; it must be a list of finite numbers above 0"),
        ({"std": 1}, "std is 1"),
        ({"invert": 1}, "invert is 1"),
        ({"order": "rgb"}, "order is"),
        ({"colour": "RGB"}, "unknown key 'colour'"),
    ],
)
def test_a_wrong_value_names_its_key(change: dict[str, Any], part: str) -> None:
    assert part in problem({**LEAST, **change})


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "is not JSON"),
        ("[]", "must be a JSON object"),
        ("{" * 100_000, "is not JSON"),
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
    text = json.dumps({**LEAST, **value})
    try:
        complete = preprocessing_json(text, where="it")
    except ConfigurationError as error:
        assert error.message.startswith("it")
    else:
        assert preprocessing_json(complete, where="it") == complete


@pytest.mark.parametrize(
    ("text", "abi", "by_version"),
    [
        ("", "", {}),
        (parameter("farm.abi", "2"), "2.0", {}),
        (parameter("farm.abi", "0.12"), "0.12", {}),
        (parameter("farm.abi", "1") + parameter("farm.abi.4", "3.1"), "1.0", {4: "3.1"}),
    ],
)
def test_an_abi_is_read(text: str, abi: str, by_version: dict[int, str]) -> None:
    parsed = parse(text)
    assert parsed.abi == abi
    assert parsed.abi_by_version == by_version
    assert parsed.warnings == ()


@pytest.mark.parametrize("abi", ["", "v2", "2.", ".2", "2.1.0", "02", "1.01", "-1", "٢", "9" * 20])
def test_an_abi_that_is_none_is_refused(abi: str) -> None:
    assert f"parameters['farm.abi'] is '{abi}'" in refusal(parameter("farm.abi", abi))


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("farm.abbi", "parameters['farm.abbi'] is unknown"),
        ("farm.", "is unknown"),
        ("farm.abi.x", "names no version"),
        ("farm.abi.01", "names no version"),
        ("farm.preprocessing.", "names no input"),
        ("farm.preprocessing.imgae", "names no input of the model (inputs: image)"),
    ],
)
def test_a_name_that_may_be_a_typing_error_is_refused(name: str, part: str) -> None:
    declared = 'input { name: "image" data_type: TYPE_FP32 dims: 1 }'
    assert part in refusal(declared + parameter(name, "1"))
