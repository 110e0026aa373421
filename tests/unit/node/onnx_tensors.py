"""Tiny ONNX models, one for each kind of tensor that a model may have."""

from collections.abc import Callable, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper
from onnx_models import FLOAT, INT64, STRING, constant, finished, model

BFLOAT16 = TensorProto.BFLOAT16
FLOAT16 = TensorProto.FLOAT16
INT32 = TensorProto.INT32


def echo_strings() -> bytes:
    """Strings [n], unchanged."""
    return identity(STRING)


def identity(element_type: int, shape: Sequence[str | int] = ("n",)) -> bytes:
    """x to y, unchanged, of any type and shape."""
    return model(
        [helper.make_node("Identity", ["x"], ["y"])],
        [("x", element_type, shape)],
        [("y", element_type, shape)],
    )


def cast(given: int, wanted: int) -> bytes:
    """x [n] to y [n] of another type."""
    return model(
        [helper.make_node("Cast", ["x"], ["y"], to=wanted)],
        [("x", given, ["n"])],
        [("y", wanted, ["n"])],
    )


def narrowed(made: Callable[[], bytes], element_type: int) -> bytes:
    """A model from FP32 x to y with its output rounded to a shorter float."""
    whole = onnx.load_from_string(made())
    graph = whole.graph
    for node in graph.node:
        node.output[:] = ["wide" if name == "y" else name for name in node.output]
    graph.node.append(helper.make_node("Cast", ["wide"], ["y"], to=element_type))
    graph.output[0].type.tensor_type.elem_type = element_type
    return whole.SerializeToString()


def brain_and_more() -> bytes:
    """BF16 x and FP32 z [n] to x as it was, x as FP32, and z as strings."""
    return model(
        [
            helper.make_node("Identity", ["x"], ["same"]),
            helper.make_node("Cast", ["x"], ["wide"], to=FLOAT),
            helper.make_node("Cast", ["z"], ["text"], to=STRING),
        ],
        [("x", BFLOAT16, ["n"]), ("z", FLOAT, ["n"])],
        [("same", BFLOAT16, ["n"]), ("wide", FLOAT, ["n"]), ("text", STRING, ["n"])],
    )


def brain_beside_strings() -> bytes:
    """BF16 x and strings s [n], unchanged."""
    return model(
        [helper.make_node("Identity", ["x"], ["y"]), helper.make_node("Identity", ["s"], ["t"])],
        [("x", BFLOAT16, ["n"]), ("s", STRING, ["n"])],
        [("y", BFLOAT16, ["n"]), ("t", STRING, ["n"])],
    )


def shifted() -> bytes:
    """x [n,3] plus b [3], which is [1, 2, 3] where a request does not give it."""
    return model(
        [helper.make_node("Add", ["x", "b"], ["y"])],
        [("x", FLOAT, ["n", 3]), ("b", FLOAT, [3])],
        [("y", FLOAT, ["n", 3])],
        [constant("b", np.array([1, 2, 3], np.float32))],
    )


def total() -> bytes:
    """x [n] to the sum of all, which has no dimensions."""
    return model(
        [helper.make_node("ReduceSum", ["x"], ["y"], keepdims=0)],
        [("x", FLOAT, ["n"])],
        [("y", FLOAT, [])],
    )


def sums_and_differences() -> bytes:
    """INT32 a and b [n,2] to their sum and their difference."""
    return model(
        [
            helper.make_node("Add", ["a", "b"], ["sum"]),
            helper.make_node("Sub", ["a", "b"], ["less"]),
        ],
        [("a", INT32, ["n", 2]), ("b", INT32, ["n", 2])],
        [("sum", INT32, ["n", 2]), ("less", INT32, ["n", 2])],
    )


def sequence() -> bytes:
    """x to a sequence that holds it."""
    graph = helper.make_graph(
        [helper.make_node("SequenceConstruct", ["x"], ["y"])],
        "tiny",
        [helper.make_tensor_value_info("x", FLOAT, ["n", 3])],
        [helper.make_tensor_sequence_value_info("y", FLOAT, None)],
    )
    return finished(graph, [helper.make_opsetid("", 17)])


def zip_map() -> bytes:
    """x [n,2] to a map from class to score, row by row, as scikit-learn's converter has it."""
    scores = helper.make_map_type_proto(INT64, helper.make_tensor_type_proto(FLOAT, []))
    graph = helper.make_graph(
        [helper.make_node("ZipMap", ["x"], ["y"], domain="ai.onnx.ml", classlabels_int64s=[0, 1])],
        "tiny",
        [helper.make_tensor_value_info("x", FLOAT, ["n", 2])],
        [helper.make_value_info("y", helper.make_sequence_type_proto(scores))],
    )
    return finished(graph, [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 1)])


def float8() -> bytes:
    """An input of a type that ONNX has and the protocol has not."""
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT8E4M3FN, ["n"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT8E4M3FN, ["n"])],
    )
    return finished(graph, [helper.make_opsetid("", 21)])
