"""Between the shape that callers see and the shape that the model has.

A config's `reshape` keeps the elements and their order, so only the shape is rewritten.
"""

from dataclasses import replace
from math import prod

from farm.core.errors import ExecutionFailedError
from farm.core.tensors import Tensor, TensorSpec, filled


def to_model(tensor: Tensor, spec: TensorSpec) -> Tensor:
    """Return a checked input with the shape that the model wants."""
    if spec.model_shape is None:
        return tensor
    return replace(tensor, shape=filled(spec.model_shape, tensor.shape, spec.shape))


def to_caller(tensor: Tensor, spec: TensorSpec) -> Tensor:
    """Return an output with the shape that its config declares.

    Raises:
        ExecutionFailedError: the model answered a shape that the config does not foresee.
    """
    if spec.model_shape is None:
        return tensor
    if len(tensor.shape) == len(spec.model_shape):
        shape = filled(spec.shape, tensor.shape, spec.model_shape)
        if prod(shape) == prod(tensor.shape):
            return replace(tensor, shape=shape)
    raise ExecutionFailedError(
        f"output '{tensor.name}' has shape {list(tensor.shape)}, which its config's reshape of"
        f" {list(spec.model_shape)} to {list(spec.shape)} does not cover; correct the config"
    )
