"""Sample rows to try a model with: real ones from a golden, or random ones."""

from collections.abc import Sequence
from math import prod

import numpy as np

from farm.core.tensors import Datatype, TensorSpec
from farm.node.arrays import DTYPES, AnyArray
from farm.node.goldens import Golden

# The size given to inner dimensions that the model leaves open.
OPEN_DIMENSION = 8


class Rows:
    """Inputs of any number of rows for one model."""

    def __init__(self, inputs: Sequence[TensorSpec], goldens: Sequence[Golden]) -> None:
        names = {spec.name for spec in inputs}
        self._inputs = inputs
        self._golden = next((g for g in goldens if set(g.inputs) == names), None)

    def take(self, count: int) -> dict[str, AnyArray]:
        """Return `count` rows: the golden's, over and over, or seeded random ones."""
        if self._golden is not None:
            return {
                name: array[np.arange(count) % array.shape[0]]
                for name, array in self._golden.inputs.items()
            }
        generator = np.random.default_rng(0)
        return {
            spec.name: _random(spec, (count, *_closed(spec.shape[1:])), generator)
            for spec in self._inputs
        }

    def whole(self) -> dict[str, AnyArray]:
        """Return one request for a model without a batch axis."""
        if self._golden is not None:
            return dict(self._golden.inputs)
        generator = np.random.default_rng(0)
        return {spec.name: _random(spec, _closed(spec.shape), generator) for spec in self._inputs}


def row(inputs: dict[str, AnyArray], index: int) -> dict[str, AnyArray]:
    """Return one row of every input, as a batch of one."""
    return {name: array[index : index + 1] for name, array in inputs.items()}


def _closed(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(OPEN_DIMENSION if dim < 0 else dim for dim in shape)


def _random(spec: TensorSpec, shape: tuple[int, ...], generator: np.random.Generator) -> AnyArray:
    if spec.datatype is Datatype.BYTES:
        words = np.empty(prod(shape), dtype=np.object_)
        words[:] = [str(number) for number in range(words.size)]
        return words.reshape(shape)
    dtype = DTYPES[spec.datatype]
    if dtype.kind == "f":
        # Rows of very different magnitude: a model that quantises over the whole batch
        # (dynamic int8) answers each row differently in company, and is found out.
        values = generator.standard_normal(shape)
        if shape:
            scale = 10.0 ** (np.arange(shape[0]) % 3 - 1)
            values *= scale.reshape(-1, *[1] * (len(shape) - 1))
        return np.asarray(values).astype(dtype)
    # Small non-negative integers are valid almost everywhere: indices, tokens, masks.
    return np.asarray(generator.integers(0, 2, size=shape)).astype(dtype)
