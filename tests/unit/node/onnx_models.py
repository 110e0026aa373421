"""Tiny ONNX models, one for each way a model can behave on a node."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from farm.core.models import ModelArtifact, ModelFile, ModelKey, Warmup

FLOAT = TensorProto.FLOAT
INT64 = TensorProto.INT64
STRING = TensorProto.STRING

# (name, element type, shape); a word in a shape is an open dimension.
Value = tuple[str, int, Sequence[str | int]]


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[Value],
    outputs: Sequence[Value],
    constants: Sequence[onnx.TensorProto] = (),
) -> bytes:
    graph = helper.make_graph(
        list(nodes),
        "tiny",
        [helper.make_tensor_value_info(*value) for value in inputs],
        [helper.make_tensor_value_info(*value) for value in outputs],
        list(constants),
    )
    return finished(graph, [helper.make_opsetid("", 17)])


def finished(graph: onnx.GraphProto, opsets: Sequence[onnx.OperatorSetIdProto]) -> bytes:
    """A graph as the bytes of a model."""
    made = helper.make_model(graph, opset_imports=opsets)
    made.ir_version = 10 if opsets[0].version > 19 else 8
    return made.SerializeToString()


def constant(name: str, values: np.ndarray) -> onnx.TensorProto:
    return numpy_helper.from_array(values, name)


def doubles() -> bytes:
    """x [n,3] to y = 2x: independent rows."""
    return model(
        [helper.make_node("Add", ["x", "x"], ["y"])],
        [("x", FLOAT, ["n", 3])],
        [("y", FLOAT, ["n", 3])],
    )


def fixed_rows() -> bytes:
    """x [2,3] to y = 2x: no batch axis."""
    return model(
        [helper.make_node("Add", ["x", "x"], ["y"])],
        [("x", FLOAT, [2, 3])],
        [("y", FLOAT, [2, 3])],
    )


def centred() -> bytes:
    """x less its mean over the rows: every row depends on the others."""
    return model(
        [
            helper.make_node("ReduceMean", ["x"], ["mean"], axes=[0], keepdims=1),
            helper.make_node("Sub", ["x", "mean"], ["y"]),
        ],
        [("x", FLOAT, ["n", 3])],
        [("y", FLOAT, ["n", 3])],
    )


def slightly_centred() -> bytes:
    """x and a thousandth of its mean over the rows: as much as shared quantisation does."""
    return model(
        [
            helper.make_node("ReduceMean", ["x"], ["mean"], axes=[0], keepdims=1),
            helper.make_node("Mul", ["mean", "thousandth"], ["little"]),
            helper.make_node("Add", ["x", "little"], ["y"]),
        ],
        [("x", FLOAT, ["n", 3])],
        [("y", FLOAT, ["n", 3])],
        [constant("thousandth", np.array(1e-3, np.float32))],
    )


def running_sum() -> bytes:
    """The sum of a row and those before it: only later rows depend on others."""
    return model(
        [helper.make_node("CumSum", ["x", "axis"], ["y"])],
        [("x", FLOAT, ["n", 3])],
        [("y", FLOAT, ["n", 3])],
        [constant("axis", np.array(0, np.int64))],
    )


def repeated() -> bytes:
    """The rows, and then the same rows again: the output does not follow the first axis."""
    return model(
        [helper.make_node("Concat", ["x", "x"], ["y"], axis=0)],
        [("x", FLOAT, ["n", 3])],
        [("y", FLOAT, ["m", 3])],
    )


def squeezed() -> bytes:
    """x [n,1] squeezed of every axis of size 1, so that a single row has no axis left."""
    return model(
        [helper.make_node("Squeeze", ["x"], ["y"])],
        [("x", FLOAT, ["n", 1])],
        [("y", FLOAT, ["n"])],
    )


def centred_with_mask() -> bytes:
    """`centred` beside a column of minus infinity, as a masked score would be."""
    return model(
        [
            helper.make_node("ReduceMean", ["x"], ["mean"], axes=[0], keepdims=1),
            helper.make_node("Sub", ["x", "mean"], ["centred"]),
            helper.make_node("Sub", ["x", "x"], ["zero"]),
            helper.make_node("Log", ["zero"], ["masked"]),
            helper.make_node("Concat", ["centred", "masked"], ["y"], axis=1),
        ],
        [("x", FLOAT, ["n", 3])],
        [("y", FLOAT, ["n", 6])],
    )


def dense() -> bytes:
    """Two dense layers [n,16] to [n,8]; quantised dynamically, its rows depend on each other."""
    generator = np.random.default_rng(7)
    first = generator.standard_normal((16, 32)).astype(np.float32)
    second = generator.standard_normal((32, 8)).astype(np.float32)
    return model(
        [
            helper.make_node("MatMul", ["x", "first"], ["hidden"]),
            helper.make_node("Relu", ["hidden"], ["active"]),
            helper.make_node("MatMul", ["active", "second"], ["y"]),
        ],
        [("x", FLOAT, ["n", 16])],
        [("y", FLOAT, ["n", 8])],
        [constant("first", first), constant("second", second)],
    )


def lookup() -> bytes:
    """x [n] of indices to the entries of a table of three."""
    return model(
        [helper.make_node("Gather", ["table", "x"], ["y"])],
        [("x", INT64, ["n"])],
        [("y", FLOAT, ["n"])],
        [constant("table", np.array([10, 20, 30], np.float32))],
    )


def triples() -> bytes:
    """x [n] in rows of three: fails on any number that three does not divide."""
    return model(
        [helper.make_node("Reshape", ["x", "shape"], ["y"])],
        [("x", FLOAT, ["n"])],
        [("y", FLOAT, ["m", 3])],
        [constant("shape", np.array([-1, 3], np.int64))],
    )


def large(megabytes: int) -> bytes:
    """x [n,256] times a matrix of that size, cut to its first column."""
    columns = megabytes * 1024
    weights = np.ones((256, columns), np.float32)
    return model(
        [
            helper.make_node("MatMul", ["x", "weights"], ["wide"]),
            helper.make_node("Gather", ["wide", "first"], ["y"], axis=1),
        ],
        [("x", FLOAT, ["n", 256])],
        [("y", FLOAT, ["n", 1])],
        [constant("weights", weights), constant("first", np.array([0]))],
    )


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def artifact(
    files: dict[str, bytes],
    *,
    name: str = "tiny",
    goldens: dict[str, bytes] | None = None,
    warmups: tuple[Warmup, ...] = (),
    max_batch_size: int | None = None,
    main: str = "model.onnx",
) -> ModelArtifact:
    """What a gateway would ask a node to load."""
    return ModelArtifact(
        key=ModelKey(name, 1),
        digest=sha256(repr(sorted(files.items())).encode()),
        files=_model_files(files),
        goldens=_model_files(goldens or {}),
        warmups=warmups,
        max_batch_size=max_batch_size,
        main=main,
    )


def _model_files(files: dict[str, bytes]) -> tuple[ModelFile, ...]:
    return tuple(
        ModelFile(path=path, sha256=sha256(data), size_bytes=len(data))
        for path, data in files.items()
    )


def write(folder: Path, data: bytes, name: str = "model.onnx") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def golden_file(folder: Path, **arrays: object) -> bytes:
    """A golden with no tolerance; `input_x` stands for `input:x`, `output_y` for `output:y`."""
    path = folder / "golden.npz"
    named = {name.replace("_", ":", 1): array for name, array in arrays.items()}
    np.savez(path, **named, rtol=0.0, atol=0.0)
    return path.read_bytes()
