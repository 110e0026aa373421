"""Small ONNX models by the dozen, each another one, from one seed."""

from pathlib import Path
from typing import Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_SEED: Final = 0
_INPUTS: Final = 16
_HIDDEN: Final = 32
_OUTPUTS: Final = 8


def write_small_models(repository: Path, count: int) -> list[str]:
    """Write `count` two-layer perceptrons of 800 weights; return their names."""
    generator = np.random.default_rng(_SEED)
    names = [f"small-{number:03d}" for number in range(count)]
    for name in names:
        write_small_model(repository / name, generator)
    return names


def write_small_model(model: Path, generator: np.random.Generator) -> None:
    """Write x FP32 [-1,16] to y FP32 [-1,8] as version 1 below `model`."""
    weights = {
        "first": generator.standard_normal((_INPUTS, _HIDDEN)),
        "second": generator.standard_normal((_HIDDEN, _OUTPUTS)),
    }
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "first"], ["hidden"]),
            helper.make_node("Relu", ["hidden"], ["active"]),
            helper.make_node("MatMul", ["active", "second"], ["y"]),
        ],
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", _INPUTS])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", _OUTPUTS])],
        [numpy_helper.from_array(w.astype(np.float32), name) for name, w in weights.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    folder = model / "1"
    folder.mkdir(parents=True)
    onnx.save(made, folder / "model.onnx")
