"""Sample rows to try a model with: real ones from a golden, or random ones."""

from collections.abc import Sequence
from math import prod

import numpy as np

from farm.core.errors import ModelUnavailableError
from farm.core.tensors import Datatype, TensorSpec
from farm.goldens import Golden
from farm.node.arrays import DTYPES, AnyArray
from farm.node.bfloat16 import BF16, from_floats

# The size given to inner dimensions that the model leaves open.
OPEN_DIMENSION = 8

# As much as the inputs of a batch may have (`SchedulingLimits.max_batch_bytes`).
MAX_SAMPLE_BYTES = 32 << 20
_STRING_BYTES = 64


class Rows:
    """Inputs of any number of rows for one model, without those it has a default for."""

    def __init__(self, inputs: Sequence[TensorSpec], goldens: Sequence[Golden]) -> None:
        self._inputs = [spec for spec in inputs if not spec.optional]
        names = {spec.name for spec in self._inputs}
        self._golden = next((_only(names, g.inputs) for g in goldens if names <= set(g.inputs)), {})

    def take(self, count: int) -> dict[str, AnyArray]:
        """Return `count` rows: the golden's, over and over, or seeded random ones.

        Raises:
            ModelUnavailableError: they would take more than `MAX_SAMPLE_BYTES`.
        """
        if self._golden and all(array.ndim and array.size for array in self._golden.values()):
            _check_size(sum(a.nbytes // a.shape[0] for a in self._golden.values()) * count)
            return {
                name: array[np.arange(count) % array.shape[0]]
                for name, array in self._golden.items()
            }
        _check_size(sum(_size_bytes(spec, spec.shape[1:]) for spec in self._inputs) * count)
        generator = np.random.default_rng(0)
        return {
            spec.name: random_array(spec.datatype, (count, *_closed(spec.shape[1:])), generator)
            for spec in self._inputs
        }

    def whole(self) -> dict[str, AnyArray]:
        """Return one request for a model without a batch axis.

        Raises:
            ModelUnavailableError: it would take more than `MAX_SAMPLE_BYTES`.
        """
        if self._golden:
            return dict(self._golden)
        _check_size(sum(_size_bytes(spec, spec.shape) for spec in self._inputs))
        generator = np.random.default_rng(0)
        return {
            spec.name: random_array(spec.datatype, _closed(spec.shape), generator)
            for spec in self._inputs
        }


def row(inputs: dict[str, AnyArray], index: int) -> dict[str, AnyArray]:
    """Return one row of every input, as a batch of one."""
    return {name: array[index : index + 1] for name, array in inputs.items()}


def _closed(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(OPEN_DIMENSION if dim < 0 else dim for dim in shape)


def _size_bytes(spec: TensorSpec, shape: Sequence[int]) -> int:
    return prod(_closed(shape)) * (spec.datatype.width_bytes or _STRING_BYTES)


def _check_size(size_bytes: int) -> None:
    """Keep a model that declares enormous inputs from taking the node's memory."""
    if size_bytes > MAX_SAMPLE_BYTES:
        raise ModelUnavailableError(
            f"sample rows of {size_bytes} bytes are more than the {MAX_SAMPLE_BYTES} that a node"
            " tries"
        )


def _only(names: set[str], arrays: dict[str, AnyArray]) -> dict[str, AnyArray]:
    return {name: array for name, array in arrays.items() if name in names}


def random_array(
    datatype: Datatype, shape: tuple[int, ...], generator: np.random.Generator
) -> AnyArray:
    """Return values that most models take: numbers around 0, small integers, digits."""
    if datatype is Datatype.BYTES:
        words = np.empty(prod(shape), dtype=np.object_)
        words[:] = [str(number) for number in range(words.size)]
        return words.reshape(shape)
    dtype = DTYPES[datatype]
    if dtype.kind == "f" or dtype == BF16:
        # Rows of very different magnitude: a model that quantises over the whole batch
        # (dynamic int8) answers each row differently in company, and is found out.
        values = np.asarray(generator.standard_normal(shape))
        if shape:
            scale = 10.0 ** (np.arange(shape[0]) % 3 - 1)
            values = values * scale.reshape(-1, *[1] * (len(shape) - 1))
        return from_floats(values) if dtype == BF16 else values.astype(dtype)
    # Small non-negative integers are valid almost everywhere: indices, tokens, masks.
    return np.asarray(generator.integers(0, 2, size=shape)).astype(dtype)
