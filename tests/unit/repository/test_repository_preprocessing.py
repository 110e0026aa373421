"""What a config says to the farm alone: the ABI, the objective, how images become inputs."""

import json

import pytest
from config_parsing import parse, refusal

from farm.core.errors import ConfigurationError
from farm.core.models import Objective
from farm.repository.preprocessing import preprocessing_json

LEAST = {"layout": "NCHW", "height": 8, "width": 6, "channels": 3}


def parameter(name: str, value: str) -> str:
    return f'parameters {{ key: "{name}" value {{ string_value: {json.dumps(value)} }} }}'


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


def test_a_refusal_says_where() -> None:
    with pytest.raises(ConfigurationError, match=r"^it: width is 0; it must be"):
        preprocessing_json(json.dumps({**LEAST, "width": 0}), where="it")
    message = refusal(parameter("farm.preprocessing.image", "{}"))
    assert "parameters['farm.preprocessing.image']: it lacks layout, height" in message


def test_it_is_kept_by_input() -> None:
    parsed = parse(parameter("farm.preprocessing.image", json.dumps(LEAST)))
    assert list(parsed.preprocessing) == ["image"]
    assert parsed.warnings == ()


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


@pytest.mark.parametrize("word", ["throughput", "latency"])
def test_what_a_model_is_tuned_for(word: str) -> None:
    parsed = parse(parameter("farm.optimize", word))
    assert parsed.objective == word
    assert parsed.warnings == ()
    assert parse("").objective is Objective.THROUGHPUT


@pytest.mark.parametrize("word", ["", "Latency", "speed", "latency "])
def test_another_objective_is_refused_naming_file_and_key(word: str) -> None:
    said = refusal(parameter("farm.optimize", word))
    assert f"digits/config.pbtxt: parameters['farm.optimize'] is '{word}'" in said
    assert "throughput or latency" in said


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
