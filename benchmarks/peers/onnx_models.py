"""The session that every server of the benchmark opens, and the models it finds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import onnxruntime as ort

_LARGE_BYTES: Final = 1_000_000
# More rows make the tiny network faster; large ones only wait for each other.
_MAX_BATCH: Final = 64
_LARGE_MAX_BATCH: Final = 4


@dataclass(frozen=True)
class OnnxModel:
    """A model with one input and one output, rows on axis 0 of both."""

    name: str
    path: Path
    large: bool

    @property
    def max_batch(self) -> int:
        """Rows that a batch may hold where a server must be told."""
        return _LARGE_MAX_BATCH if self.large else _MAX_BATCH


def found_models(repository: Path) -> list[OnnxModel]:
    """Return the models of a repository in Triton's layout."""
    return [
        OnnxModel(
            name=path.parent.parent.name,
            path=path,
            large=path.stat().st_size > _LARGE_BYTES,
        )
        for path in sorted(repository.glob("*/1/model.onnx"))
    ]


def open_session(path: Path) -> Any:
    """Open a session of one thread that does not spin."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
