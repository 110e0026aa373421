"""One model in ONNX Runtime: how it is opened, what it may be, how it is run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from farm.core.errors import (
    ExecutionFailedError,
    FarmError,
    InvalidRequestError,
    ModelUnavailableError,
)
from farm.core.tensors import Datatype, TensorSpec
from farm.node.bfloat16 import run_with_values, to_value

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
    "tensor(bfloat16)": Datatype.BF16,
    "tensor(float)": Datatype.FP32,
    "tensor(double)": Datatype.FP64,
    "tensor(string)": Datatype.BYTES,
}

_PREFIX = re.compile(r"\[ONNXRuntimeError\] : \d+ : \w+ : ")
# What its assertions begin with: the C++ function that they stand in.
_FUNCTION = re.compile(
    r"(?:(?:\S*::\S*|void|bool|const|static|virtual|auto|int|size_t) )*"
    r"onnxruntime::[\w:~<>]+\((?:[^()]|\([^()]*\))*\)(?: const)? ?"
)
_PATH = re.compile(r"(?<![\w.])/\S+")
_WHILE_RUNNING = re.compile(
    r"Non-zero status code returned while running (\w+) node\. Name:'([^']*)' Status Message: "
)
_NO_MEMORY = re.compile(r"Failed to allocate memory|bad_alloc|bad allocation|MemoryError")
_MAX_MESSAGE = 300


def import_runtime() -> Any:
    """Return ONNX Runtime, imported late.

    A wheel can kill the interpreter at import on some CPUs (onnxruntime#23957): children go first.
    """
    import onnxruntime

    return onnxruntime


class OutOfMemoryError(ExecutionFailedError):
    """A run wanted more memory than there is. Its session would try to grow by as much again."""


class Session:
    """One model, ready to run. Threads may share it."""

    def __init__(self, path: Path, *, threads: int) -> None:
        """Open a model file.

        Raises:
            ModelUnavailableError: ONNX Runtime does not accept it, or it uses a type that
                the protocol cannot carry.
        """
        ort = import_runtime()
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
        try:
            required = [_spec(node, "input") for node in self._session.get_inputs()]
            self.inputs = (*required, *_optional(self._session.get_overridable_initializers()))
            self.outputs = tuple(_spec(node, "output") for node in self._session.get_outputs())
        except UnicodeDecodeError as error:
            raise ModelUnavailableError(
                "the model names a tensor or an axis in bytes that are not UTF-8; export it anew"
            ) from error
        self.output_names = [spec.name for spec in self.outputs]
        self._bf16_inputs = _bf16(self.inputs)
        self._bf16_outputs = _bf16(self.outputs)
        if self._bf16_outputs and any(s.datatype is Datatype.BYTES for s in self.inputs):
            raise ModelUnavailableError(
                f"output '{self._bf16_outputs[0]}' is BF16, which ONNX Runtime cannot give a model"
                " that takes strings; export the model with that output as FP32"
            )

    def run(self, model: str, feeds: dict[str, AnyArray]) -> list[AnyArray]:
        """Run the model once.

        Raises:
            InvalidRequestError: ONNX Runtime calls the input invalid.
            ExecutionFailedError: it failed in any other way.
        """
        try:
            if self._bf16_inputs or self._bf16_outputs:
                return self._run_bf16(feeds)
            outputs: list[AnyArray] = self._session.run(self.output_names, feeds)
        except Exception as error:
            raise _run_error(model, error) from error
        return outputs

    def _run_bf16(self, feeds: dict[str, AnyArray]) -> list[AnyArray]:
        given: dict[str, Any] = {**feeds}
        for name in self._bf16_inputs:
            if name in given:
                given[name] = to_value(given[name])
        if self._bf16_outputs:
            return run_with_values(self._session, self.output_names, given)
        outputs: list[AnyArray] = self._session.run(self.output_names, given)
        return outputs


def _spec(node: Any, role: str, *, optional: bool = False) -> TensorSpec:
    datatype = _DATATYPES.get(node.type)
    if datatype is None:
        raise ModelUnavailableError(
            f"{role} '{node.name}' has type {node.type}, which the protocol cannot carry; export"
            " the model with plain tensors"
        )
    shape = tuple(dim if isinstance(dim, int) and dim >= 0 else -1 for dim in node.shape)
    return TensorSpec(name=node.name, datatype=datatype, shape=shape, optional=optional)


def _optional(nodes: list[Any]) -> list[TensorSpec]:
    """Return the inputs a model has defaults for, but those that no request can carry."""
    return [_spec(node, "input", optional=True) for node in nodes if node.type in _DATATYPES]


def _bf16(specs: tuple[TensorSpec, ...]) -> tuple[str, ...]:
    return tuple(spec.name for spec in specs if spec.datatype is Datatype.BF16)


def _run_error(model: str, error: Exception) -> FarmError:
    message = f"model '{model}' failed on this request: {_clean(error)}"
    if isinstance(error, MemoryError) or _NO_MEMORY.search(str(error)):
        return OutOfMemoryError(message)
    if type(error).__name__ == "InvalidArgument":
        return InvalidRequestError(message)
    return ExecutionFailedError(message)


def _clean(error: Exception) -> str:
    """Return ONNX Runtime's own words without paths, on one bounded line."""
    text = _FUNCTION.sub("", _PREFIX.sub("", str(error).replace("\n", " ")))
    text = _WHILE_RUNNING.sub(lambda found: f"operator {found[1]} '{found[2]}': ", text)
    return " ".join(_PATH.sub("", text).split())[:_MAX_MESSAGE] or type(error).__name__
