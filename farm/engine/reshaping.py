"""Between the shape that callers see and the shape that the model has.

A config's `reshape` keeps the elements and their order, so only the shape is rewritten.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from farm.core.errors import ExecutionFailedError
from farm.core.tensors import Tensor, TensorSpec


def to_model(tensor: Tensor, spec: TensorSpec) -> Tensor:
    """Return a checked input with the shape that the model wants."""
    if spec.model_shape is None:
        return tensor
    return replace(tensor, shape=_fill(tensor.shape, spec.shape, spec.model_shape))


def to_caller(tensor: Tensor, spec: TensorSpec) -> Tensor:
    """Return an output with the shape that its config declares.

    Raises:
        ExecutionFailedError: the model answered a shape that the config does not foresee.
    """
    if spec.model_shape is None:
        return tensor
    if len(tensor.shape) == len(spec.model_shape):
        shape = _fill(tensor.shape, spec.model_shape, spec.shape)
        if prod(shape) == prod(tensor.shape):
            return replace(tensor, shape=shape)
    raise ExecutionFailedError(
        f"output '{tensor.name}' has shape {list(tensor.shape)}, which its config's reshape of"
        f" {list(spec.model_shape)} to {list(spec.shape)} does not cover; correct the config"
    )


def _fill(actual: Sequence[int], pattern: Sequence[int], target: Sequence[int]) -> tuple[int, ...]:
    """Return `target` with its -1s replaced by the sizes that `pattern` leaves open, in order."""
    chosen = iter([size for size, wanted in zip(actual, pattern, strict=True) if wanted == -1])
    return tuple(next(chosen) if size == -1 else size for size in target)
