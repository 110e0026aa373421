"""config.pbtxt: what is applied, what is ignored with a warning, what refuses the model."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from farm.core.errors import ConfigurationError, FarmError, UnsupportedError
from farm.core.tensors import Datatype, TensorSpec
from farm.pb.model_config_pb2 import ModelConfig
from farm.repository.config_fields import HARMLESS, HONOURED
from farm.repository.model_config import MAX_CONFIG_BYTES, ModelSettings, parse_model_config
from farm.repository.versions import AllVersions, LatestVersions, SpecificVersions

FULL = """
name: "digits"
platform: "onnxruntime_onnx"
backend: "onnxruntime"
default_model_filename: "model.onnx"
max_batch_size: 32
version_policy { specific { versions: [ 3, 1 ] } }
input [ { name: "image" data_type: TYPE_FP32 format: FORMAT_NCHW dims: [ 1, 8, -1 ] } ]
output [ { name: "label" data_type: TYPE_STRING dims: [ 1 ] } ]
parameters { key: "farm.b" value { string_value: "2" } }
parameters { key: "farm.a" value { string_value: "1" } }
"""


def parse(text: str) -> ModelSettings:
    return parse_model_config(text.encode(), model="digits")


def refusal(text: str | bytes) -> str:
    data = text.encode() if isinstance(text, str) else text
    with pytest.raises(FarmError) as caught:
        parse_model_config(data, model="digits")
    assert isinstance(caught.value, ConfigurationError | UnsupportedError)
    assert caught.value.message.startswith("digits/config.pbtxt")
    return caught.value.message


def test_everything_that_is_applied() -> None:
    assert parse(FULL) == ModelSettings(
        max_batch_size=32,
        version_policy=SpecificVersions(versions=(1, 3)),
        inputs=(TensorSpec(name="image", datatype=Datatype.FP32, shape=(-1, 1, 8, -1)),),
        outputs=(TensorSpec(name="label", datatype=Datatype.BYTES, shape=(-1, 1)),),
        parameters=(("farm.a", "1"), ("farm.b", "2")),
        warnings=(
            "digits/config.pbtxt: parameters['farm.a'] has no effect on this farm",
            "digits/config.pbtxt: parameters['farm.b'] has no effect on this farm",
        ),
    )


def test_an_empty_config_means_what_it_means_to_triton() -> None:
    assert parse("") == ModelSettings(max_batch_size=0, version_policy=LatestVersions(count=1))


def test_shapes_have_no_batch_axis_without_batching() -> None:
    (tensor,) = parse('input { name: "x" data_type: TYPE_BF16 dims: 3 }').inputs
    assert tensor == TensorSpec(name="x", datatype=Datatype.BF16, shape=(3,))


def test_a_policy_without_a_choice_means_all() -> None:
    assert parse("version_policy {}").version_policy == AllVersions()


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


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("sequence_batching {}", "sequence_batching"),
        ("ensemble_scheduling {}", "ensemble_scheduling"),
        ("model_transaction_policy { decoupled: true }", "model_transaction_policy"),
        ('model_operations { op_library_filename: "ops.so" }', "model_operations"),
        ("batch_input { kind: BATCH_ELEMENT_COUNT }", "batch_input"),
        ("batch_output {}", "batch_output"),
        ('model_repository_agents { agents { name: "checksum" } }', "model_repository_agents"),
        ('cc_model_filenames { key: "7.5" value: "t4.onnx" }', "cc_model_filenames"),
        ('runtime: "python"', "runtime"),
        ('input { name: "x" reshape { shape: 1 } }', "input[0].reshape"),
        ('input { name: "x" } input { name: "y" optional: true }', "input[1].optional"),
        ("input { allow_ragged_batch: true }", "input[0].allow_ragged_batch"),
        ("output { is_shape_tensor: true }", "output[0].is_shape_tensor"),
        ('platform: "tensorrt_plan"', "platform is 'tensorrt_plan'"),
        ('backend: "python"', "backend is 'python'"),
        ('default_model_filename: "net.onnx"', "default_model_filename is 'net.onnx'"),
    ],
)
def test_an_unsupported_field_is_named(text: str, field: str) -> None:
    message = refusal(text)
    assert field in message
    assert "this version of the farm" in message


def test_all_unsupported_fields_are_named_at_once() -> None:
    message = refusal("batch_output {} sequence_batching {} max_batch_size: 4")
    assert "batch_output" in message
    assert "sequence_batching" in message
    assert "max_batch_size" not in message


HARMLESS_TEXTS = [
    "instance_group { count: 4 kind: KIND_GPU }",
    "dynamic_batching {}",
    "optimization { graph { level: 1 } }",
    'model_warmup { name: "w" }',
    'metric_tags { key: "team" value: "a" }',
    "model_metrics {}",
    "response_cache { enable: true }",
]


@pytest.mark.parametrize("text", HARMLESS_TEXTS)
def test_a_field_that_changes_no_answer_is_a_warning(text: str) -> None:
    field = text.partition(" ")[0]
    (warning,) = parse(text).warnings
    assert warning == f"digits/config.pbtxt: {field} has no effect: {HARMLESS[field]}"


def test_every_harmless_field_is_tried_and_exists() -> None:
    assert {text.partition(" ")[0] for text in HARMLESS_TEXTS} == set(HARMLESS)
    assert set(HARMLESS) | HONOURED <= set(ModelConfig.DESCRIPTOR.fields_by_name)
    assert HONOURED.isdisjoint(HARMLESS)


def test_class_names_are_a_warning() -> None:
    text = 'output { name: "y" data_type: TYPE_FP32 dims: 10 label_filename: "names.txt" }'
    (warning,) = parse(text).warnings
    assert "output[0].label_filename has no effect" in warning


def test_parameters_are_kept_and_each_gives_a_warning() -> None:
    parsed = parse(
        'parameters { key: "intra_op_thread_count" value { string_value: "2" } }'
        'parameters { key: "farm.x" value { string_value: "1" } }'
    )
    assert dict(parsed.parameters) == {"farm.x": "1", "intra_op_thread_count": "2"}
    first, second = parsed.warnings
    assert "parameters['farm.x'] has no effect" in first
    assert "parameters['intra_op_thread_count'] has no effect" in second


def test_a_transaction_policy_that_asks_for_nothing_is_accepted() -> None:
    assert parse("model_transaction_policy { decoupled: false }").warnings == ()


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ('name: "letters"', "name is 'letters', but the model's folder is 'digits'"),
        ("max_batch_size: -1", "max_batch_size is -1"),
        ("version_policy { latest {} }", "version_policy.latest"),
        ("version_policy { specific {} }", "version_policy.specific names none"),
        ("version_policy { specific { versions: [1, -2] } }", "version_policy.specific names -2"),
        ('input { name: "x" dims: 1 }', "input[0] must have name, data_type and dims"),
        ("output { data_type: TYPE_FP32 dims: 1 }", "output[0] must have name"),
        ('input { name: "x" data_type: TYPE_FP32 }', "input[0] must have"),
        ('input { name: "x" data_type: 99 dims: 1 }', "input[0] must have"),
        ('input { name: "x" data_type: TYPE_FP32 dims: [2, 0] }', "input[0].dims is [2, 0]"),
    ],
)
def test_a_contradiction_is_named(text: str, part: str) -> None:
    assert part in refusal(text)


def test_a_config_that_is_no_config_by_its_size() -> None:
    assert parse("#" * MAX_CONFIG_BYTES).max_batch_size == 0
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
        st.tuples(st.integers(0, len(FULL)), st.integers(0, len(FULL)), TOKENS).map(
            lambda edit: (FULL[: edit[0]] + edit[2] + FULL[edit[1] :]).encode()
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
        parsed = parse_model_config(text, model="digits")
    except FarmError as error:
        assert error.message.startswith("digits/config.pbtxt")
        assert error.message.isprintable()
    else:
        assert parsed.max_batch_size is not None
        assert all(warning.isprintable() for warning in parsed.warnings)
