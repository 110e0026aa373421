"""Inputs for a model of which only the tensors' types and shapes are known."""

from collections.abc import Mapping, Sequence

import numpy as np

from farm.client.bfloat16 import as_bf16
from farm.client.datatypes import AnyArray, wire_dtype
from farm.client.metadata import TensorMetadata
from farm.core.errors import InvalidRequestError
from farm.core.tensors import Datatype

# Small enough to be a word of any vocabulary and a value of any integer type.
_LARGEST_INTEGER = 127
_STRING_LETTERS = 8


def random_inputs(
    tensors: Sequence[TensorMetadata],
    *,
    rows: int | None,
    shapes: Mapping[str, tuple[int, ...]],
    seed: int,
) -> dict[str, AnyArray]:
    """Return an array for each tensor, the same ones for the same seed.

    Axis 0 gets `rows`; None is for models without a batch axis. `shapes` gives, by name, the
    dimensions beside the batch axis where the model leaves them open. Floats are from 0 to
    1, integers from 0 to 127, strings have 8 letters.

    Raises:
        InvalidRequestError: a shape is missing, contradicts the model or names no input.
    """
    unknown = sorted(set(shapes) - {tensor.name for tensor in tensors})
    if unknown:
        raise InvalidRequestError(
            f"the model has no input '{unknown[0]}'; its inputs are"
            f" {', '.join(tensor.name for tensor in tensors)}"
        )
    generator = np.random.default_rng(seed)
    return {
        tensor.name: _random(generator, tensor.datatype, _shape(tensor, rows, shapes))
        for tensor in tensors
    }


def _shape(
    tensor: TensorMetadata, rows: int | None, shapes: Mapping[str, tuple[int, ...]]
) -> tuple[int, ...]:
    declared = tensor.shape if rows is None else tensor.shape[1:]
    given = shapes.get(tensor.name, declared)
    fits = len(given) == len(declared) and all(
        want in (-1, have) for want, have in zip(declared, given, strict=True)
    )
    if not fits or min(given, default=0) < 0:
        beside = "" if rows is None else " beside the batch axis"
        raise InvalidRequestError(
            f"input '{tensor.name}' has shape {list(declared)}{beside}, -1 being any size; give"
            " it a shape with every size"
        )
    return given if rows is None else (rows, *given)


def _random(generator: np.random.Generator, datatype: Datatype, shape: tuple[int, ...]) -> AnyArray:
    if datatype is Datatype.BYTES:
        letters = generator.integers(ord("a"), ord("z") + 1, (*shape, _STRING_LETTERS), np.uint8)
        return letters.view(f"S{_STRING_LETTERS}").reshape(shape)
    if datatype is Datatype.BOOL:
        return generator.integers(0, 2, shape).astype(np.bool_)
    if datatype is Datatype.BF16:
        return as_bf16(generator.random(shape, np.float32))
    dtype = wire_dtype(datatype)
    if dtype.kind == "f":
        return generator.random(shape).astype(dtype)
    return generator.integers(0, _LARGEST_INTEGER + 1, shape).astype(dtype)
