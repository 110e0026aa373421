"""BF16, which numpy lacks: with the package that has it and without."""

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from farm.client.bfloat16 import as_bf16, as_numbers, bf16_dtype
from farm.client.codec import to_request, to_result
from farm.client.datatypes import datatype_of
from farm.core.tensors import Datatype
from farm.node.bfloat16 import from_floats
from farm.pb.open_inference_pb2 import ModelInferRequest, ModelInferResponse


def request(**inputs: Any) -> ModelInferRequest:
    return to_request("m", inputs)


def round_trip(array: Any) -> Any:
    message = request(x=array)
    response = ModelInferResponse(raw_output_contents=message.raw_input_contents)
    (sent,) = message.inputs
    response.outputs.add(name="x", datatype=sent.datatype, shape=sent.shape)
    return to_result(response)["x"]


# 1 lies on the grid; 1 + 2^-8 is half way and goes to the even neighbour, 1; 3 * 2^-8 above 1
# goes up to 1 + 2^-6.
NUMBERS = np.array([[1.0, 1.00390625, 1.01171875], [-2.5, np.inf, np.nan]], np.float32)
ROUNDED = np.array([[1.0, 1.0, 1.015625], [-2.5, np.inf, np.nan]], np.float32)


@pytest.fixture(params=["ml_dtypes", "numpy alone"])
def bfloat16(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    if request.param == "numpy alone":
        monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    bf16_dtype.cache_clear()
    yield request.param
    bf16_dtype.cache_clear()


def test_bf16_goes_out_rounded_and_comes_back(bfloat16: str) -> None:
    array = as_bf16(NUMBERS)
    assert array.dtype.names == (None if bfloat16 == "ml_dtypes" else ("bf16",))
    message = request(x=array)
    assert (message.inputs[0].datatype, list(message.inputs[0].shape)) == ("BF16", [2, 3])
    assert len(message.raw_input_contents[0]) == 12
    back = round_trip(array)
    assert datatype_of(back) is Datatype.BF16
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(as_numbers(back), ROUNDED)
    assert request(x=back) == message


def test_numpy_keeps_what_bf16_arrays_are(bfloat16: str) -> None:
    array = as_bf16(NUMBERS)
    for made in (
        np.stack([array, array]),
        np.concatenate([array, array]),
        np.ascontiguousarray(array[::-1, 1:]),
        array.T.copy(),
        np.array(array[0, 0]),
    ):
        message = request(x=made)
        assert message.inputs[0].datatype == "BF16"
        assert len(message.raw_input_contents[0]) == 2 * made.size
        assert as_numbers(made).shape == made.shape
    np.testing.assert_array_equal(as_numbers(np.stack([array])[0]), ROUNDED)
    np.testing.assert_array_equal(as_numbers(array[:, ::2]), ROUNDED[:, ::2])


def test_both_ways_to_bf16_and_the_nodes_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = np.random.default_rng(0).standard_normal(10_000).astype(np.float32) * 1e30
    numbers[:3] = (np.inf, -np.inf, np.finfo(np.float32).max)
    numbers[3:6] = NUMBERS[0]
    bf16_dtype.cache_clear()
    theirs = as_bf16(numbers).tobytes()
    assert from_floats(numbers).tobytes() == theirs
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "ml_dtypes", None)
        bf16_dtype.cache_clear()
        assert as_bf16(numbers).tobytes() == theirs
    bf16_dtype.cache_clear()


def test_unsigned_integers_are_not_taken_for_bf16() -> None:
    assert request(x=np.zeros(2, np.uint16)).inputs[0].datatype == "UINT16"
