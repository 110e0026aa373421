"""Random inputs for a model of which only types and shapes are known."""

from collections.abc import Sequence

import pytest

from farm.client import TensorMetadata
from farm.client.codec import to_request
from farm.client.load.random_inputs import random_inputs
from farm.core.errors import InvalidRequestError
from farm.core.tensors import Datatype


def tensor(name: str, shape: Sequence[int], datatype: Datatype = Datatype.FP32) -> TensorMetadata:
    return TensorMetadata(name=name, datatype=datatype, shape=tuple(shape))


@pytest.mark.parametrize("datatype", Datatype)
def test_random_inputs_have_every_datatype(datatype: Datatype) -> None:
    tensors = (tensor("x", [-1, 3, 2], datatype),)
    first = random_inputs(tensors, rows=4, shapes={}, seed=1)
    assert first["x"].shape == (4, 3, 2)
    message = to_request("m", first)
    assert message.inputs[0].datatype == datatype
    assert message == to_request("m", random_inputs(tensors, rows=4, shapes={}, seed=1))
    assert message != to_request("m", random_inputs(tensors, rows=4, shapes={}, seed=2))


def test_open_dimensions_are_given_by_name() -> None:
    tensors = (tensor("a", [-1, -1, 2]), tensor("b", [3]))
    found = random_inputs(tensors[:1], rows=5, shapes={"a": (7, 2)}, seed=0)
    assert found["a"].shape == (5, 7, 2)
    unbatched = random_inputs(tensors, rows=None, shapes={"a": (1, 7, 2)}, seed=0)
    assert (unbatched["a"].shape, unbatched["b"].shape) == ((1, 7, 2), (3,))


@pytest.mark.parametrize("shape", [None, (7,), (7, 3), (7, 2, 1), (-1, 2)])
def test_a_shape_that_does_not_fit_is_asked_for(shape: tuple[int, ...] | None) -> None:
    shapes = {} if shape is None else {"a": shape}
    with pytest.raises(InvalidRequestError, match=r"input 'a' has shape \[-1, 2\] .* give it"):
        random_inputs((tensor("a", [-1, -1, 2]),), rows=1, shapes=shapes, seed=0)


def test_a_shape_for_no_input_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="no input 'b'; its inputs are a"):
        random_inputs((tensor("a", [1]),), rows=None, shapes={"b": (1,)}, seed=0)
