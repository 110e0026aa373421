"""Model repositories for farms under test: the samples, digits with names, a slow model."""

import shutil
from pathlib import Path

import numpy as np
import onnx
from onnx import GraphProto, TensorProto, helper, numpy_helper

from farm import zoo

REPOSITORY = Path(__file__).parent.parent / "repository"
SAMPLES = ("simple", "simple_string", "simple_identity")
DIGIT_NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

# Enough steps of the slow model for what waits behind it to be seen waiting: seconds.
SLOW_STEPS = 500_000
_SIDE = 64
# What the model of `write_negator` cannot take: it kills whatever runs it.
DEADLY = np.iinfo(np.int32).min


def copy_samples(root: Path, *names: str) -> None:
    """Copy sample models into a repository, all of them if none is named."""
    for name in names or SAMPLES:
        shutil.copytree(REPOSITORY / name, root / name)


def copy_digits(root: Path) -> None:
    """The shipped digits as they are, without a config."""
    shutil.copytree(zoo.models_dir() / "digits", root / "digits")


def copy_named_digits(root: Path, name: str) -> None:
    """Digits whose classes have names."""
    shutil.copytree(zoo.models_dir() / "digits", root / name)
    (root / name / "labels.txt").write_text("\n".join(DIGIT_NAMES) + "\n")
    write_config(
        root / name,
        """
        platform: "onnxruntime_onnx"
        max_batch_size: 64
        input [ { name: "image" data_type: TYPE_FP32 dims: [ 1, 8, 8 ] } ]
        output [
          { name: "probabilities" data_type: TYPE_FP32 dims: [ 10 ] label_filename: "labels.txt" },
          { name: "label" data_type: TYPE_INT64 dims: [ 1 ] reshape: { shape: [ ] } }
        ]
        """,
    )


def write_config(model: Path, text: str) -> None:
    (model / "config.pbtxt").write_text(text)


def write_hungry(root: Path, name: str) -> None:
    """A model that takes as much memory as it is told: N INT64 [1,1] to TOTAL, the same.

    It makes two tensors of N floats on the way.
    """
    graph = helper.make_graph(
        [
            helper.make_node("Reshape", ["N", "flat"], ["size"]),
            helper.make_node("ConstantOfShape", ["size"], ["zeros"]),
            helper.make_node("Exp", ["zeros"], ["ones"]),
            helper.make_node("ReduceSum", ["ones"], ["sum"], keepdims=0),
            helper.make_node("Reshape", ["sum", "square"], ["TOTAL"]),
        ],
        "hungry",
        [helper.make_tensor_value_info("N", TensorProto.INT64, [1, 1])],
        [helper.make_tensor_value_info("TOTAL", TensorProto.FLOAT, [1, 1])],
        [
            numpy_helper.from_array(np.array([1], dtype=np.int64), "flat"),
            numpy_helper.from_array(np.array([1, 1], dtype=np.int64), "square"),
        ],
    )
    write_model(root / name, graph)


def write_slow(root: Path, name: str, config: str = "") -> None:
    """A model that takes as long as it is told: STEPS INT64 [-1,1] to DONE, the same.

    One request runs at a time; `config` is added to its config.
    """
    shape = ["batch", 1]
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMax", ["STEPS"], ["steps"], keepdims=0),
            helper.make_node("Loop", ["steps", "", "matrix"], ["state"], body=_step()),
            helper.make_node("ReduceSum", ["state"], ["total"], keepdims=0),
            helper.make_node("Sub", ["total", "trace"], ["nothing"]),
            helper.make_node("Cast", ["nothing"], ["zero"], to=TensorProto.INT64),
            helper.make_node("Add", ["STEPS", "zero"], ["DONE"]),
        ],
        "slow",
        [helper.make_tensor_value_info("STEPS", TensorProto.INT64, shape)],
        [helper.make_tensor_value_info("DONE", TensorProto.INT64, shape)],
        [
            numpy_helper.from_array(np.eye(_SIDE, dtype=np.float32), "matrix"),
            numpy_helper.from_array(np.array(_SIDE, dtype=np.float32), "trace"),
        ],
    )
    write_model(root / name, graph)
    write_config(
        root / name,
        f"""
        platform: "onnxruntime_onnx"
        max_batch_size: 1
        input [ {{ name: "STEPS" data_type: TYPE_INT64 dims: [ 1 ] }} ]
        output [ {{ name: "DONE" data_type: TYPE_INT64 dims: [ 1 ] }} ]
        {config}
        """,
    )


def write_negator(root: Path, name: str) -> None:
    """X INT32 [-1,1] to Y = X / -1, which has no answer for the least X.

    x86 then traps, where other processors return something, and ONNX Runtime checks only
    for a division by 0: the process dies of SIGFPE.
    """
    shape = ["batch", 1]
    graph = helper.make_graph(
        [helper.make_node("Div", ["X", "divisor"], ["Y"])],
        name,
        [helper.make_tensor_value_info("X", TensorProto.INT32, shape)],
        [helper.make_tensor_value_info("Y", TensorProto.INT32, shape)],
        [numpy_helper.from_array(np.array(-1, dtype=np.int32), "divisor")],
    )
    write_model(root / name, graph)
    write_config(
        root / name,
        """
        platform: "onnxruntime_onnx"
        max_batch_size: 8
        input [ { name: "X" data_type: TYPE_INT32 dims: [ 1 ] } ]
        output [ { name: "Y" data_type: TYPE_INT32 dims: [ 1 ] } ]
        """,
    )


def write_model(model: Path, graph: GraphProto, *, version: int = 1) -> None:
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(made, full_check=True)
    folder = model / str(version)
    folder.mkdir(parents=True)
    onnx.save(made, folder / "model.onnx")


def adder(constant: float, *, columns: int = 4) -> bytes:
    """A small model, another one for each constant: x FP32 [-1,columns] to y = x + constant."""
    shape = ["batch", columns]
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "constant"], ["y"])],
        "adder",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(np.array(constant, dtype=np.float32), "constant")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return made.SerializeToString()


def write_adder(root: Path, name: str, constant: float, *, version: int = 1) -> None:
    folder = root / name / str(version)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(adder(constant))


def _step() -> GraphProto:
    matrix = [_SIDE, _SIDE]
    return helper.make_graph(
        [
            helper.make_node("MatMul", ["before", "before"], ["after"]),
            helper.make_node("Identity", ["go_on"], ["go_on_too"]),
        ],
        "step",
        [
            helper.make_tensor_value_info("step", TensorProto.INT64, []),
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("before", TensorProto.FLOAT, matrix),
        ],
        [
            helper.make_tensor_value_info("go_on_too", TensorProto.BOOL, []),
            helper.make_tensor_value_info("after", TensorProto.FLOAT, matrix),
        ],
    )
