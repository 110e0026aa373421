"""Which nodes can hold a model at all: a small or old one must not block the others."""

from farm.core.models import ModelArtifact
from farm.core.nodes import NodeProfile, NodeVitals

# ONNX Runtime holds a file and its own copy of the weights while it opens a model.
_OPENING = 2


def ineligible(
    artifact: ModelArtifact,
    *,
    runtime_floor: str,
    profile: NodeProfile,
    vitals: NodeVitals | None,
) -> str:
    """Say why a node cannot hold a version, or nothing if it may try.

    `runtime_floor` is the oldest ONNX Runtime that reads the model, "" where unknown.
    """
    own = profile.runtime_version
    if runtime_floor and own and _numbers(own) < _numbers(runtime_floor):
        return f"it needs ONNX Runtime {runtime_floor} or newer, and the node has {own}"
    needed = artifact.size_bytes * _OPENING
    if vitals is not None and needed > vitals.memory_available_bytes:
        return (
            f"opening it takes about {needed >> 20} MiB, and the node has"
            f" {vitals.memory_available_bytes >> 20} MiB of memory left"
        )
    return ""


def _numbers(version: str) -> tuple[int, ...]:
    """Return the first two numbers of a release, 0 for what is no number."""
    return tuple(int(part) if part.isdigit() else 0 for part in version.split(".")[:2])
