"""ONNX Runtime sessions: how one is opened, and how many stay open."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from farm.core.errors import (
    ExecutionFailedError,
    FarmError,
    InvalidRequestError,
    ModelUnavailableError,
)
from farm.core.tensors import Datatype, TensorSpec

if TYPE_CHECKING:
    from farm.node.arrays import AnyArray

# ONNX Runtime's names of element types.
_DATATYPES = {
    "tensor(bool)": Datatype.BOOL,
    "tensor(uint8)": Datatype.UINT8,
    "tensor(uint16)": Datatype.UINT16,
    "tensor(uint32)": Datatype.UINT32,
    "tensor(uint64)": Datatype.UINT64,
    "tensor(int8)": Datatype.INT8,
    "tensor(int16)": Datatype.INT16,
    "tensor(int32)": Datatype.INT32,
    "tensor(int64)": Datatype.INT64,
    "tensor(float16)": Datatype.FP16,
    "tensor(float)": Datatype.FP32,
    "tensor(double)": Datatype.FP64,
    "tensor(string)": Datatype.BYTES,
}

_PREFIX = re.compile(r"^\[ONNXRuntimeError\] : \d+ : (\w+) : ")
_PATH = re.compile(r"\S*/\S+")
_MAX_MESSAGE = 300


class Session:
    """One model, ready to run. Threads may share it."""

    def __init__(self, path: Path, *, threads: int) -> None:
        """Open a model file.

        Raises:
            ModelUnavailableError: ONNX Runtime does not accept it, or it uses a type that
                the protocol cannot carry.
        """
        # Imported here because a wheel can kill the interpreter at import on some CPUs
        # (onnxruntime#23957): the qualification child goes first.
        import onnxruntime as ort

        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Idle threads that spin heat the board and spoil its energy figures.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 4
        try:
            self._session = ort.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise ModelUnavailableError(
                f"ONNX Runtime {ort.__version__} does not accept the model: {_clean(error)}"
            ) from error
        self.inputs = tuple(_spec(node) for node in self._session.get_inputs())
        self.outputs = tuple(_spec(node) for node in self._session.get_outputs())
        self.output_names = [spec.name for spec in self.outputs]

    def run(self, model: str, feeds: dict[str, AnyArray]) -> list[AnyArray]:
        """Run the model once.

        Raises:
            InvalidRequestError: ONNX Runtime calls the input invalid.
            ExecutionFailedError: it failed in any other way.
        """
        try:
            outputs: list[AnyArray] = self._session.run(self.output_names, feeds)
        except Exception as error:
            raise _run_error(model, error) from error
        return outputs


class SessionCache:
    """The least recently used sessions close when there are too many or they are too big."""

    def __init__(self, *, max_sessions: int, max_bytes: int) -> None:
        self._max_sessions = max_sessions
        self._max_bytes = max_bytes
        self._lock = Lock()
        self._opening = Lock()
        self._open: OrderedDict[str, tuple[Session, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def get(self, digest: str, opener: Callable[[], tuple[Session, int]]) -> Session:
        """Return a model's session, opened with its size in bytes by `opener` if need be."""
        session = self._lookup(digest)
        if session is not None:
            return session
        with self._opening:
            session = self._lookup(digest)
            if session is None:
                session, size_bytes = opener()
                with self._lock:
                    self._open[digest] = (session, size_bytes)
                    self._shrink(keep=digest)
            return session

    def _lookup(self, digest: str) -> Session | None:
        with self._lock:
            entry = self._open.get(digest)
            if entry is None:
                return None
            self._open.move_to_end(digest)
            return entry[0]

    def drop(self, digest: str) -> None:
        """Close a session. One that runs now ends its run first."""
        with self._lock:
            self._open.pop(digest, None)

    def _shrink(self, keep: str) -> None:
        size = sum(size for _, size in self._open.values())
        for digest in list(self._open):
            if len(self._open) <= self._max_sessions and size <= self._max_bytes:
                return
            if digest != keep:
                size -= self._open.pop(digest)[1]


def _spec(node: Any) -> TensorSpec:
    datatype = _DATATYPES.get(node.type)
    if datatype is None:
        raise ModelUnavailableError(
            f"tensor '{node.name}' has type {node.type}, which the farm cannot serve"
        )
    shape = tuple(dim if isinstance(dim, int) and dim >= 0 else -1 for dim in node.shape)
    return TensorSpec(name=node.name, datatype=datatype, shape=shape)


def _run_error(model: str, error: Exception) -> FarmError:
    message = f"model '{model}' failed on this request: {_clean(error)}"
    if type(error).__name__ == "InvalidArgument":
        return InvalidRequestError(message)
    return ExecutionFailedError(message)


def _clean(error: Exception) -> str:
    """Return ONNX Runtime's own words without paths, on one bounded line."""
    text = _PREFIX.sub("", str(error)).replace("\n", " ")
    return _PATH.sub("", text).strip()[:_MAX_MESSAGE] or type(error).__name__
