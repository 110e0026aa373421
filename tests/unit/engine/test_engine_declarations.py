"""A model that is not what its config declares is refused, in words."""

import pytest

from farm.core.tensors import Datatype, TensorSpec
from farm.engine.declarations import contradiction


def tensor(name: str, datatype: Datatype, *shape: int) -> TensorSpec:
    return TensorSpec(name=name, datatype=datatype, shape=shape)


ACTUAL = [tensor("a", Datatype.FP32, -1, 3), tensor("b", Datatype.INT64, -1)]


@pytest.mark.parametrize(
    ("kind", "declared", "words"),
    [
        ("input", [], ""),
        ("input", ACTUAL, ""),
        ("input", [tensor("a", Datatype.FP32, -1, -1), ACTUAL[1]], ""),
        ("input", [tensor("a", Datatype.FP32, 8, 3), ACTUAL[1]], ""),
        ("output", ACTUAL[:1], ""),
        ("input", ACTUAL[:1], "does not declare input 'b'"),
        ("input", [*ACTUAL, tensor("c", Datatype.FP32, -1)], "declares input 'c'"),
        ("input", [tensor("a", Datatype.INT8, -1, 3), ACTUAL[1]], "as INT8"),
        ("output", [tensor("a", Datatype.FP32, -1, 4)], "in the model it is FP32 [-1, 3]"),
        ("output", [tensor("a", Datatype.FP32, -1)], "as FP32 [-1]"),
    ],
)
def test_contradiction(kind: str, declared: list[TensorSpec], words: str) -> None:
    said = contradiction(kind, declared, ACTUAL)
    assert said == "" if not words else words in said
