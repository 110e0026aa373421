"""Models for the tests of features: one for each thing that a repository may ask for."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper
from served_models import write_config, write_model, write_slow

FLOAT, INT32, INT64 = TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64

# The protocol's name, the config's type, ONNX's type of every datatype but BYTES.
DATATYPES = {
    "BOOL": ("TYPE_BOOL", TensorProto.BOOL),
    "UINT8": ("TYPE_UINT8", TensorProto.UINT8),
    "UINT16": ("TYPE_UINT16", TensorProto.UINT16),
    "UINT32": ("TYPE_UINT32", TensorProto.UINT32),
    "UINT64": ("TYPE_UINT64", TensorProto.UINT64),
    "INT8": ("TYPE_INT8", TensorProto.INT8),
    "INT16": ("TYPE_INT16", TensorProto.INT16),
    "INT32": ("TYPE_INT32", TensorProto.INT32),
    "INT64": ("TYPE_INT64", TensorProto.INT64),
    "FP16": ("TYPE_FP16", TensorProto.FLOAT16),
    "BF16": ("TYPE_BF16", TensorProto.BFLOAT16),
    "FP32": ("TYPE_FP32", TensorProto.FLOAT),
    "FP64": ("TYPE_FP64", TensorProto.DOUBLE),
}

# (name, element type, shape); a word in a shape is an open dimension.
Value = tuple[str, int, Sequence[str | int]]


def write_graph(
    model: Path,
    nodes: Sequence[NodeProto],
    inputs: Sequence[Value],
    outputs: Sequence[Value],
    *,
    constants: Mapping[str, np.ndarray] | None = None,
    config: str = "",
    version: int = 1,
) -> None:
    """Write a version of a model, and its config if there is one."""
    graph = helper.make_graph(
        list(nodes),
        model.name,
        [helper.make_tensor_value_info(*value) for value in inputs],
        [helper.make_tensor_value_info(*value) for value in outputs],
        [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()],
    )
    write_model(model, graph, version=version)
    if config:
        write_config(model, config)


def write_echo(root: Path, datatype: str) -> None:
    """`echo_<datatype>`: x [-1,-1] to y, the same, of one datatype."""
    element_type = DATATYPES[datatype][1]
    shape = ["batch", "columns"]
    write_graph(
        root / f"echo_{datatype}",
        [helper.make_node("Identity", ["x"], ["y"])],
        [("x", element_type, shape)],
        [("y", element_type, shape)],
    )


def write_many(root: Path) -> None:
    """`many`: x FP32 [-1,2] to double, negative, row (its INT64 sum) and hidden.

    The config leaves `hidden` out.
    """
    write_graph(
        root / "many",
        [
            helper.make_node("Add", ["x", "x"], ["double"]),
            helper.make_node("Neg", ["x"], ["negative"]),
            helper.make_node("ReduceSum", ["x", "columns"], ["sum"], keepdims=1),
            helper.make_node("Cast", ["sum"], ["row"], to=INT64),
            helper.make_node("Abs", ["x"], ["hidden"]),
        ],
        [("x", FLOAT, ["batch", 2])],
        [
            ("double", FLOAT, ["batch", 2]),
            ("negative", FLOAT, ["batch", 2]),
            ("row", INT64, ["batch", 1]),
            ("hidden", FLOAT, ["batch", 2]),
        ],
        constants={"columns": np.array([1], np.int64)},
        config="""
        max_batch_size: 8
        input [ { name: "x" data_type: TYPE_FP32 dims: [ 2 ] } ]
        output [
          { name: "double" data_type: TYPE_FP32 dims: [ 2 ] },
          { name: "negative" data_type: TYPE_FP32 dims: [ 2 ] },
          { name: "row" data_type: TYPE_INT64 dims: [ 1 ] }
        ]
        """,
    )


def write_folded(root: Path) -> None:
    """`folded`: a model of [-1,2,3,-1] whose callers see [-1,6,-1], and [-1,3,2,-1] after it."""
    write_graph(
        root / "folded",
        [helper.make_node("Add", ["x", "x"], ["y"])],
        [("x", FLOAT, ["batch", 2, 3, "open"])],
        [("y", FLOAT, ["batch", 2, 3, "open"])],
        config="""
        max_batch_size: 8
        input [
          { name: "x" data_type: TYPE_FP32 dims: [ 6, -1 ] reshape: { shape: [ 2, 3, -1 ] } }
        ]
        output [
          { name: "y" data_type: TYPE_FP32 dims: [ 3, 2, -1 ] reshape: { shape: [ 2, 3, -1 ] } }
        ]
        """,
    )


def write_scalars(root: Path) -> None:
    """`scalar_rows` of [-1] and `scalar` of []: callers see [-1,1] and [1], the model adds 1."""
    tensors = """
        input [ { name: "x" data_type: TYPE_FP32 dims: [ 1 ] reshape: { shape: [ ] } } ]
        output [ { name: "y" data_type: TYPE_FP32 dims: [ 1 ] reshape: { shape: [ ] } } ]
        """
    for name, shape, rows in (("scalar_rows", ["batch"], 8), ("scalar", [], 0)):
        write_graph(
            root / name,
            [helper.make_node("Add", ["x", "one"], ["y"])],
            [("x", FLOAT, shape)],
            [("y", FLOAT, shape)],
            constants={"one": np.array(1, np.float32)},
            config=f"max_batch_size: {rows} {tensors}",
        )


def write_shifted(root: Path) -> None:
    """`shifted`: x FP32 [-1,3] + b [-1,3], which is [10, 20, 30] where a request leaves it out."""
    write_graph(
        root / "shifted",
        [helper.make_node("Add", ["x", "b"], ["y"])],
        [("x", FLOAT, ["batch", 3]), ("b", FLOAT, ["rows", 3])],
        [("y", FLOAT, ["batch", 3])],
        constants={"b": np.array([[10, 20, 30]], np.float32)},
        config="""
        max_batch_size: 8
        input [
          { name: "x" data_type: TYPE_FP32 dims: [ 3 ] },
          { name: "b" data_type: TYPE_FP32 dims: [ 3 ] optional: true }
        ]
        output [ { name: "y" data_type: TYPE_FP32 dims: [ 3 ] } ]
        """,
    )


def write_whole(root: Path) -> None:
    """Models without a batch axis: x [2,3] transposed, and `flat`, the sum of any vector."""
    write_graph(
        root / "whole",
        [helper.make_node("Transpose", ["x"], ["y"])],
        [("x", FLOAT, [2, 3])],
        [("y", FLOAT, [3, 2])],
    )
    write_graph(
        root / "flat",
        [helper.make_node("ReduceSum", ["x"], ["y"], keepdims=1)],
        [("x", FLOAT, ["length"])],
        [("y", FLOAT, [1])],
        config="max_batch_size: 0",
    )


def write_mean(root: Path) -> None:
    """`mean`: x FP32 [-1,-1] to the mean of each row: padding or mixing would change it."""
    write_graph(
        root / "mean",
        [helper.make_node("ReduceMean", ["x"], ["y"], axes=[1], keepdims=1)],
        [("x", FLOAT, ["batch", "width"])],
        [("y", FLOAT, ["batch", 1])],
    )


def write_scores(root: Path) -> None:
    """`scores`: FP32, INT32 and FP16 [-1,4] as they are; `scores` has names for three of four."""
    config = " ".join(
        f'{{ name: "{name}" data_type: {kind} dims: [ 4 ] {labels} }},'
        for name, kind, labels in (
            ("scores", "TYPE_FP32", 'label_filename: "names.txt"'),
            ("counts", "TYPE_INT32", ""),
            ("halves", "TYPE_FP16", ""),
        )
    )
    write_graph(
        root / "scores",
        [
            helper.make_node("Identity", ["x"], ["scores"]),
            helper.make_node("Cast", ["x"], ["counts"], to=INT32),
            helper.make_node("Cast", ["x"], ["halves"], to=TensorProto.FLOAT16),
        ],
        [("x", FLOAT, ["batch", 4])],
        [
            ("scores", FLOAT, ["batch", 4]),
            ("counts", INT32, ["batch", 4]),
            ("halves", TensorProto.FLOAT16, ["batch", 4]),
        ],
        config=f"""
        max_batch_size: 8
        input [ {{ name: "x" data_type: TYPE_FP32 dims: [ 4 ] }} ]
        output [ {config.rstrip(",")} ]
        """,
    )
    (root / "scores" / "names.txt").write_text("ash\nbirch\ncedar wood\n", encoding="utf-8")


def write_lookup(root: Path, name: str, *, warm: int | None) -> None:
    """x INT64 [-1,1] to the entry of a table of three; warmed up with the index `warm`.

    Without `warm` the file that the config names is not there.
    """
    write_graph(
        root / name,
        [helper.make_node("Gather", ["table", "x"], ["y"])],
        [("x", INT64, ["batch", 1])],
        [("y", FLOAT, ["batch", 1])],
        constants={"table": np.array([10, 20, 30], np.float32)},
        config="""
        max_batch_size: 8
        input [ { name: "x" data_type: TYPE_INT64 dims: [ 1 ] } ]
        output [ { name: "y" data_type: TYPE_FP32 dims: [ 1 ] } ]
        model_warmup [ {
          name: "first"
          batch_size: 3
          inputs { key: "x" value { data_type: TYPE_INT64 dims: [ 1 ] input_data_file: "index" } }
        } ]
        """,
    )
    if warm is not None:
        (root / name / "warmup").mkdir()
        (root / name / "warmup" / "index").write_bytes(np.array([warm], np.int64).tobytes())


def write_external(root: Path, name: str) -> Path:
    """x FP32 [-1,4] + [1, 2, 3, 4], which lies in a file of its own; return that file's path."""
    write_graph(
        root / name,
        [helper.make_node("Add", ["x", "weights"], ["y"])],
        [("x", FLOAT, ["batch", 4])],
        [("y", FLOAT, ["batch", 4])],
        constants={"weights": np.array([1, 2, 3, 4], np.float32)},
    )
    path = root / name / "1" / "model.onnx"
    made = onnx.load(path)
    onnx.save_model(
        made, path, save_as_external_data=True, location="weights.bin", size_threshold=0
    )
    return path.with_name("weights.bin")


def write_unrunnable(root: Path, name: str, *, version: int) -> None:
    """A version that lies in the repository in good order and that no runtime can open."""
    graph = helper.make_graph(
        [helper.make_node("NoSuchOperator", ["x"], ["y"])],
        name,
        [helper.make_tensor_value_info("x", FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("y", FLOAT, ["batch", 4])],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    folder = root / name / str(version)
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(made.SerializeToString())


def declare_abi(model: bytes, abi: str) -> bytes:
    """The model with an ABI in its own metadata."""
    made = onnx.load_from_string(model)
    helper.set_model_props(made, {"farm.abi": abi})
    return made.SerializeToString()


def write_queued(root: Path, name: str, dynamic_batching: str, *, count: int = 1) -> None:
    """The slow model, of which `count` requests run at a time and the others wait in the queue."""
    instances = f"instance_group [ {{ count: {count} }} ]" if count else ""
    write_slow(root, name, f"dynamic_batching {{ {dynamic_batching} }} {instances}")
