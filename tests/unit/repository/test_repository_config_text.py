"""Configs as text and as JSON: any bytes are read or refused in words."""

import json
from typing import Any

import pytest
from config_parsing import parse, parse_object, refusal
from hypothesis import example, given, settings
from hypothesis import strategies as st

from farm.core.errors import FarmError
from farm.pb.model_config_pb2 import ModelConfig
from farm.repository.config_text import MAX_CONFIG_BYTES

SOME = """
name: "digits"
max_batch_size: 32
version_policy { specific { versions: [ 3, 1 ] } }
input [ { name: "image" data_type: TYPE_FP32 dims: [ 8, -1 ] reshape { shape: [ -1, 8 ] } } ]
dynamic_batching { preferred_batch_size: [ 8, 4 ] default_queue_policy { max_queue_size: 3 } }
instance_group [ { count: 2 } ]
model_warmup { batch_size: 1 inputs { key: "image"
  value { data_type: TYPE_FP32 dims: [ 8, 1 ] zero_data: true } } }
parameters { key: "farm.abi" value { string_value: "2" } }
"""


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("", None),
        ('name: "digits"', None),
        ("max_batch_size: 0", 0),
        ("max_batch_size: 3", 3),
        ("# max_batch_size: 0", None),
        ("name: 'digits' # max_batch_size", None),
        ('parameters { key: "max_batch_size" value { string_value: "\\"max_batch_size" } }', None),
        ("parameters { key: 'a\\'' value { string_value: '#' } } max_batch_size: 0", 0),
        ('output { name: "y" data_type: TYPE_FP32 dims: 1 }', 0),
        ('input { name: "x" data_type: TYPE_FP32 dims: 1 }', 0),
        ("max_batch_size # four\n:\n4", 4),
    ],
)
def test_a_config_that_says_nothing_of_tensors_leaves_the_batch_size_open(
    text: str, size: int | None
) -> None:
    assert parse(text).max_batch_size == size


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({}, None),
        ({"name": "digits"}, None),
        ({"max_batch_size": 0}, 0),
        ({"maxBatchSize": 0}, 0),
        ({"maxBatchSize": "7"}, 7),
        ({"parameters": {"a": {"string_value": "max_batch_size"}}}, None),
        ({"input": [{"name": "x", "dataType": "TYPE_FP32", "dims": ["-1"]}]}, 0),
    ],
)
def test_a_config_in_json_is_read_alike(value: Any, size: int | None) -> None:
    assert parse_object(value).max_batch_size == size


def test_both_spellings_of_fields_are_read_in_json() -> None:
    snake = {"version_policy": {"specific": {"versions": [1]}}, "max_batch_size": 4}
    camel = {"versionPolicy": {"specific": {"versions": ["1"]}}, "maxBatchSize": 4}
    assert parse_object(snake) == parse_object(camel)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("{", "line 1 column 2"),
        ("", "Expecting value"),
        ("null", "must be a JSON object"),
        ("[]", "must be a JSON object"),
        ('{"max_batch_size": "many"}', "max_batch_size"),
        ('{"max_batch_size": 1, "max_batch_size": 2}', "duplicate key max_batch_size"),
        ('{"max_batchsize": 1}', 'no field named "max_batchsize"'),
        ('{"input": [{"data_type": "TYPE_FP33"}]}', "data_type"),
        ('{"input": [{"dims": 1}]}', "dims"),
        ('{"a":' * 100_000, "recursion"),
        ('{"name": "\\ud800"}', "name"),
        ('{"max_batch_size": -1}', "max_batch_size is -1"),
        ('{"ensemble_scheduling": {}}', "ensemble_scheduling"),
    ],
)
def test_a_config_in_json_that_is_wrong_names_the_field(text: str, part: str) -> None:
    with pytest.raises(FarmError) as caught:
        parse_object(text)
    message = caught.value.message
    assert message.startswith("the config sent")
    assert part in message
    assert "Available Fields" not in message
    assert message.isprintable()


def test_a_byte_order_mark_is_skipped() -> None:
    assert parse("\ufeffmax_batch_size: 2").max_batch_size == 2


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("max_batch_size: 4\nname digits", "line 2, column 6"),
        ("\n\n  max_batch_size: four", "line 3, column 19"),
        ("max_batch_size: 4\nmax_batch_size: 5", "line 2, column 1"),
        ("max_batch_size: 99999999999", "line 1, column 17"),
        ('name: "digits', "line 1, column 7"),
        ("input { name", "line 1, column"),
        (b"name: 'ok'\n# \xff", "line 2, column 3"),
    ],
)
def test_a_syntax_error_names_line_and_column(text: str | bytes, position: str) -> None:
    message = refusal(text)
    assert f"digits/config.pbtxt, {position}" in message
    assert message.isprintable()


def test_an_unknown_field_is_named() -> None:
    message = refusal("max_batch_size: 4\nmax_batchsize: 4")
    assert 'line 2, column 1: Message type "inference.ModelConfig" has no field' in message
    assert '"max_batchsize"' in message


def test_a_config_that_is_no_config_by_its_size() -> None:
    assert parse("#" * MAX_CONFIG_BYTES).max_batch_size is None
    assert "is larger than 1048576 bytes" in refusal("#" * (MAX_CONFIG_BYTES + 1))


TOKENS = st.sampled_from(
    [
        *ModelConfig.DESCRIPTOR.fields_by_name,
        *("dims", "data_type", "TYPE_FP32", "key", "value", "string_value", "latest", "specific"),
        *("versions", "num_versions", "all", ":", "{", "}", "[", "]", "<", ">", ",", ";", "#"),
        *("0", "1", "-1", "9e99", "inf", "0x1F", "07", "true", '"', "'", "\\", '"x"', "'\\x'"),
        *('"\\ud800"', '"\\777"', "\n", "\0", "type.googleapis.com/a.B", "ä", "\ud7ff"),
    ]
)


# Python's decoder warns of "\777" in a string of the config, and then refuses it.
@pytest.mark.filterwarnings("ignore:.*decoding with 'unicode_escape' codec:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:invalid .*escape sequence:DeprecationWarning")
@settings(deadline=None)
@given(
    text=st.one_of(
        st.binary(max_size=200),
        st.text(max_size=100).map(str.encode),
        st.lists(TOKENS, max_size=30).map(" ".join).map(str.encode),
        st.tuples(st.integers(0, len(SOME)), st.integers(0, len(SOME)), TOKENS).map(
            lambda edit: (SOME[: edit[0]] + edit[2] + SOME[edit[1] :]).encode()
        ),
    )
)
@example(text=b'name: "\\ud800"')
@example(text=b"input { [type.googleapis.com/inference.ModelInput] {} }")
@example(text=b"{" * 20_000)
@example(text=b"max_batch_size: " + b"9" * 5_000)
@example(text=b"max_batch_size: 1e400")
def test_any_text_is_read_or_refused(text: bytes) -> None:
    try:
        parsed = parse(text)
    except FarmError as error:
        assert error.message.startswith("digits/config.pbtxt")
        assert error.message.isprintable()
    else:
        assert all(warning.isprintable() for warning in parsed.warnings)


# Values of JSON that fit a config here and there, so that fields are tried with the wrong ones.
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["TYPE_FP32", "KIND_CPU", "REJECT", "1"]),
)
NAMES = st.sampled_from(
    [
        *ModelConfig.DESCRIPTOR.fields_by_name,
        "maxBatchSize",
        "dims",
        "name",
        "dataType",
        "key",
        "versions",
        "specific",
        "latest",
        "count",
    ]
)
OBJECTS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(text=st.text(max_size=60) | OBJECTS.map(json.dumps))
@example(text="9" * 5_000)
@example(text='{"max_batch_size": ' + "9" * 5_000 + "}")
def test_any_json_is_read_or_refused(text: str) -> None:
    try:
        parse_object(text)
    except FarmError as error:
        assert error.message.startswith("the config sent")
        assert error.message.isprintable()
