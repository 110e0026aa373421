"""A model whose answers are large, however little it is asked."""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from served_models import write_config, write_model

MODEL: Final = "big"
_FLOATS: Final = 1 << 18
ANSWER_BYTES: Final = 4 * _FLOATS
QUESTION: Final[dict[str, NDArray[np.float32]]] = {"x": np.ones((1, 1), dtype=np.float32)}


def write_big(root: Path) -> None:
    """X FP32 [-1,1] to Y FP32 [-1,262144], the same number again and again."""
    graph = helper.make_graph(
        [helper.make_node("Expand", ["x", "shape"], ["y"])],
        MODEL,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", _FLOATS])],
        [numpy_helper.from_array(np.array([1, _FLOATS], dtype=np.int64), "shape")],
    )
    write_model(root / MODEL, graph)
    write_config(
        root / MODEL,
        f"""
        platform: "onnxruntime_onnx"
        max_batch_size: 8
        input [ {{ name: "x" data_type: TYPE_FP32 dims: [ 1 ] }} ]
        output [ {{ name: "y" data_type: TYPE_FP32 dims: [ {_FLOATS} ] }} ]
        """,
    )
