"""Configs: what is applied, what is ignored with a warning, what refuses the model."""

import pytest
from config_parsing import parse, refusal

from farm.core.models import DynamicBatching
from farm.core.tensors import Datatype, TensorSpec
from farm.pb.model_config_pb2 import ModelConfig
from farm.repository.config_fields import HARMLESS, HONOURED
from farm.repository.model_config import ModelSettings
from farm.repository.versions import AllVersions, LatestVersions, SpecificVersions

FULL = """
name: "digits"
platform: "onnxruntime_onnx"
backend: "onnxruntime"
default_model_filename: "net.onnx"
max_batch_size: 32
version_policy { specific { versions: [ 3, 1 ] } }
input [ { name: "image" data_type: TYPE_FP32 format: FORMAT_NCHW dims: [ 1, 8, -1 ] } ]
output [ { name: "label" data_type: TYPE_STRING dims: [ 1 ] } ]
dynamic_batching { preferred_batch_size: [ 8, 4 ] }
instance_group [ { count: 2 } ]
parameters { key: "farm.abi" value { string_value: "2" } }
parameters { key: "intra_op" value { string_value: "1" } }
"""


def test_everything_that_is_applied() -> None:
    parsed = parse(FULL)
    assert parsed == ModelSettings(
        max_batch_size=32,
        joins=True,
        version_policy=SpecificVersions(versions=(1, 3)),
        inputs=(TensorSpec(name="image", datatype=Datatype.FP32, shape=(-1, 1, 8, -1)),),
        outputs=(TensorSpec(name="label", datatype=Datatype.BYTES, shape=(-1, 1)),),
        batching=DynamicBatching(preferred_batch_sizes=(4, 8)),
        max_instances=2,
        parameters={"farm.abi": "2", "intra_op": "1"},
        abi="2.0",
        filename="net.onnx",
        config=parsed.config,
        warnings=("digits/config.pbtxt: parameters['intra_op'] has no effect on this farm",),
    )
    declared = ModelConfig.FromString(parsed.config)
    assert declared.name == "digits"
    assert declared.input[0].dims == [1, 8, -1]
    assert declared.parameters["intra_op"].string_value == "1"


def test_shapes_have_no_batch_axis_without_batching() -> None:
    (tensor,) = parse('input { name: "x" data_type: TYPE_BF16 dims: 3 }').inputs
    assert tensor == TensorSpec(name="x", datatype=Datatype.BF16, shape=(3,))


def test_the_defaults_are_tritons() -> None:
    parsed = parse("")
    assert parsed.version_policy == LatestVersions(count=1)
    assert parsed.max_instances == 0
    assert parsed.warnings == ()
    assert parse("version_policy {}").version_policy == AllVersions()


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
        ('runtime: "python"', "runtime"),
        ("input { allow_ragged_batch: true }", "input[0].allow_ragged_batch"),
        ('input { name: "x" } input { is_shape_tensor: true }', "input[1].is_shape_tensor"),
        ("input { is_non_linear_format_io: true }", "input[0].is_non_linear_format_io"),
        ("output { is_shape_tensor: true }", "output[0].is_shape_tensor"),
        ('platform: "tensorrt_plan"', "platform is 'tensorrt_plan'"),
        ('backend: "python"', "backend is 'python'"),
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
    "optimization { graph { level: 1 } }",
    'cc_model_filenames { key: "7.5" value: "t4.onnx" }',
    'metric_tags { key: "team" value: "a" }',
    "model_metrics {}",
    "response_cache { enable: true }",
]


@pytest.mark.parametrize("text", HARMLESS_TEXTS)
def test_a_field_that_changes_no_answer_is_one_warning(text: str) -> None:
    field = text.partition(" ")[0]
    (warning,) = parse(text).warnings
    assert warning == f"digits/config.pbtxt: {field} has no effect: {HARMLESS[field]}"


def test_every_harmless_field_is_tried_and_exists() -> None:
    assert {text.partition(" ")[0] for text in HARMLESS_TEXTS} == set(HARMLESS)
    assert set(HARMLESS) | HONOURED <= set(ModelConfig.DESCRIPTOR.fields_by_name)
    assert HONOURED.isdisjoint(HARMLESS)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("instance_group { kind: KIND_GPU }", "instance_group[0].kind"),
        ("instance_group {} instance_group { gpus: [0, 1] }", "instance_group[1].gpus"),
        ("instance_group { passive: true }", "instance_group[0].passive"),
        ('instance_group { host_policy: "p" }', "instance_group[0].host_policy"),
        ("instance_group { rate_limiter { priority: 1 } }", "instance_group[0].rate_limiter"),
        ('instance_group { profile: "0" }', "instance_group[0].profile"),
        (
            "max_batch_size: 4 dynamic_batching { preserve_ordering: true }",
            "dynamic_batching.preserve_ordering",
        ),
        (
            "max_batch_size: 4 dynamic_batching { default_priority_level: 1 }",
            "dynamic_batching.default_priority_level",
        ),
        (
            "max_batch_size: 4 dynamic_batching { priority_queue_policy { key: 9 value {} } }",
            "dynamic_batching.priority_queue_policy",
        ),
    ],
)
def test_a_part_that_changes_no_answer_is_one_warning(text: str, field: str) -> None:
    (warning,) = parse(text).warnings
    assert f" {field} has no effect: " in warning


@pytest.mark.parametrize("kind", ["KIND_AUTO", "KIND_CPU"])
def test_a_group_on_the_cpu_is_as_it_should_be(kind: str) -> None:
    assert parse(f'instance_group {{ name: "g" kind: {kind} }}').warnings == ()


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
        ('default_model_filename: "../x.onnx"', "default_model_filename is '../x.onnx'"),
        ('default_model_filename: "/x.onnx"', "default_model_filename is '/x.onnx'"),
    ],
)
def test_a_contradiction_is_named(text: str, part: str) -> None:
    assert part in refusal(text)
