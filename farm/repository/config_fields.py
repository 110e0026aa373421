"""Which fields of Triton's model config the farm applies, ignores or refuses.

A field that may change an answer and is not applied refuses the model: an answer that
differs from Triton's without a word is worse than none.
"""

from collections.abc import Iterator
from typing import Final

from google.protobuf.message import Message

from farm.core.errors import UnsupportedError
from farm.pb.model_config_pb2 import ModelConfig
from farm.repository.names import shown

PLATFORM: Final = "onnxruntime_onnx"
BACKEND: Final = "onnxruntime"

HONOURED: Final = frozenset(
    {
        "name",
        "platform",
        "backend",
        "default_model_filename",
        "version_policy",
        "max_batch_size",
        "dynamic_batching",
        "instance_group",
        "model_warmup",
        "parameters",
        "input",
        "output",
    }
)

HARMLESS: Final = {
    "optimization": "nodes always run ONNX Runtime's CPU provider with its own optimisations",
    "cc_model_filenames": "nodes have no CUDA device, and all open the default file",
    "metric_tags": "metrics carry the farm's own labels",
    "model_metrics": "metrics have the farm's own buckets",
    "response_cache": "every request is computed",
}
"""Fields that cannot change an answer, with what the farm does instead."""

# `allow_ragged_batch` is refused: Triton then hands the model all rows as one flat tensor.
_HONOURED_INPUT: Final = frozenset({"name", "data_type", "dims", "format", "reshape", "optional"})
_HONOURED_OUTPUT: Final = frozenset({"name", "data_type", "dims", "reshape", "label_filename"})
_HARMLESS_GROUP: Final = {
    "kind": "a node runs models on its CPU",
    "gpus": "nodes have no GPU",
    "secondary_devices": "nodes have no accelerator",
    "profile": "profiles are TensorRT's",
    "host_policy": "a node's own settings place its threads",
    "rate_limiter": "a node's slots bound what runs at once",
    "passive": "the group is not counted, as it gets no requests",
}
_CPU_KINDS: Final = (0, 2)  # KIND_AUTO, KIND_CPU


def refuse_unsupported(config: ModelConfig, where: str) -> None:
    """Check that the farm applies all of a config that could change an answer.

    Raises:
        UnsupportedError: it does not; the message names the fields.
    """
    for field, value, only in (
        ("platform", config.platform, PLATFORM),
        ("backend", config.backend, BACKEND),
    ):
        if value not in ("", only):
            raise UnsupportedError(
                f"{where}: {field} is '{shown(value)}', and this version of the farm supports"
                f" only '{only}'; export the model to ONNX and leave {field} out"
            )
    if refused := unsupported_fields(config):
        raise UnsupportedError(
            f"{where}: this version of the farm does not support {shown(', '.join(refused))};"
            " remove it if the model's answers do not depend on it, or serve the model elsewhere"
        )


def unsupported_fields(config: ModelConfig) -> tuple[str, ...]:
    """Return the fields that refuse the model, such as `ensemble_scheduling`."""
    refused = [
        name
        for name in _set_fields(config)
        if name not in HONOURED
        and name not in HARMLESS
        # Written out with its default it asks for nothing.
        and (name != "model_transaction_policy" or config.model_transaction_policy.decoupled)
    ]
    for index, tensor in enumerate(config.input):
        refused += [
            f"input[{index}].{name}" for name in _set_fields(tensor) if name not in _HONOURED_INPUT
        ]
    for index, output in enumerate(config.output):
        refused += [
            f"output[{index}].{name}"
            for name in _set_fields(output)
            if name not in _HONOURED_OUTPUT
        ]
    return tuple(refused)


def ignored_fields(config: ModelConfig) -> tuple[tuple[str, str], ...]:
    """Return the fields that have no effect, each with what the farm does instead."""
    ignored = [(name, HARMLESS[name]) for name in _set_fields(config) if name in HARMLESS]
    for index, group in enumerate(config.instance_group):
        ignored += [
            (f"instance_group[{index}].{name}", _HARMLESS_GROUP[name])
            for name in _set_fields(group)
            if name in _HARMLESS_GROUP and (name != "kind" or group.kind not in _CPU_KINDS)
        ]
    batching = config.dynamic_batching
    if batching.preserve_ordering:
        ignored.append(
            ("dynamic_batching.preserve_ordering", "answers carry the ids of their requests")
        )
    if batching.priority_levels == 0:
        ignored += [
            (f"dynamic_batching.{name}", "priority_levels is 0")
            for name in ("default_priority_level", "priority_queue_policy")
            if name in set(_set_fields(batching))
        ]
    return tuple(ignored)


def _set_fields(message: Message) -> Iterator[str]:
    """Yield the names of the fields that differ from their defaults."""
    return (descriptor.name for descriptor, _ in message.ListFields())
