"""Which fields of Triton's config.pbtxt the farm applies, ignores or refuses.

A field that may change an answer and is not applied refuses the model: an answer that
differs from Triton's without a word is worse than none.
"""

from collections.abc import Iterator
from typing import Final

from google.protobuf.message import Message

from farm.pb.model_config_pb2 import ModelConfig

HONOURED: Final = frozenset(
    {
        "name",
        "platform",
        "backend",
        "default_model_filename",
        "version_policy",
        "max_batch_size",
        "parameters",
        "input",
        "output",
    }
)

HARMLESS: Final = {
    "instance_group": "a node runs as many copies as it has slots, always on its CPU",
    "dynamic_batching": "batches follow measured latency, and queue limits are the farm's own",
    "optimization": "nodes always run ONNX Runtime's CPU provider with its own optimisations",
    "model_warmup": "a node runs a model several times before it gets requests",
    "metric_tags": "metrics carry the farm's own labels",
    "model_metrics": "metrics have the farm's own buckets",
    "response_cache": "every request is computed",
}
"""Fields that cannot change an answer, with what the farm does instead."""

_HONOURED_INPUT: Final = frozenset({"name", "data_type", "dims", "format"})
_HONOURED_OUTPUT: Final = frozenset({"name", "data_type", "dims"})
_HARMLESS_OUTPUT: Final = {"label_filename": "class names are not added to answers"}


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
            if name not in _HONOURED_OUTPUT and name not in _HARMLESS_OUTPUT
        ]
    return tuple(refused)


def ignored_fields(config: ModelConfig) -> tuple[tuple[str, str], ...]:
    """Return the fields that have no effect, each with what the farm does instead."""
    ignored = [(name, HARMLESS[name]) for name in _set_fields(config) if name in HARMLESS]
    for index, output in enumerate(config.output):
        ignored += [
            (f"output[{index}].{name}", _HARMLESS_OUTPUT[name])
            for name in _set_fields(output)
            if name in _HARMLESS_OUTPUT
        ]
    return tuple(ignored)


def _set_fields(message: Message) -> Iterator[str]:
    """Yield the names of the fields that differ from their defaults."""
    return (descriptor.name for descriptor, _ in message.ListFields())
