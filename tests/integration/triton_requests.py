"""Requests as tritonclient makes them, for the models of `served_models`."""

import numpy as np
from served_models import SLOW_STEPS
from tritonclient.grpc import InferInput, InferResult
from tritonclient.utils import np_to_triton_dtype

COUNT = np.arange(16, dtype=np.int32).reshape(1, 16)
ONES = np.ones((1, 16), dtype=np.int32)


def given(name: str, values: np.ndarray) -> InferInput:
    made = InferInput(name, list(values.shape), np_to_triton_dtype(values.dtype))
    made.set_data_from_numpy(values)
    return made


def pair(first: np.ndarray, second: np.ndarray) -> list[InferInput]:
    """The inputs of `simple`, or, for arrays of texts, of `simple_string`."""
    return [given("INPUT0", first), given("INPUT1", second)]


def texts(values: np.ndarray) -> np.ndarray:
    """Numbers as decimal BYTES."""
    return np.array([str(value).encode() for value in values.flat], dtype=object).reshape(
        values.shape
    )


def numbered(position: int, *, rows: int = 1) -> list[InferInput]:
    """The inputs of a request to `simple` that can be told from others by its answer."""
    return pair(np.full((rows, 16), position, dtype=np.int32), np.ones((rows, 16), dtype=np.int32))


def answers_to(position: int, result: InferResult) -> bool:
    """Whether `result` is what `numbered(position)` asked for."""
    total, difference = result.as_numpy("OUTPUT0"), result.as_numpy("OUTPUT1")
    return bool((total == position + 1).all() and (difference == position - 1).all())


def steps(count: int = SLOW_STEPS) -> list[InferInput]:
    """The input of the slow models."""
    return [given("STEPS", np.array([[count]], dtype=np.int64))]
