"""Goldens, checked in a session of ONNX Runtime."""

import numpy as np

from farm.core.errors import FarmError, ModelUnavailableError
from farm.core.tensors import Datatype
from farm.goldens import Golden, difference
from farm.node.arrays import AnyArray
from farm.node.bfloat16 import BF16, to_floats
from farm.node.sessions import Session


def check_golden(session: Session, golden: Golden) -> None:
    """Run a golden's inputs and compare.

    Raises:
        ModelUnavailableError: the model fails on them or answers something else.
    """
    brain = {spec.name for spec in session.inputs if spec.datatype is Datatype.BF16}
    inputs = {name: _as_bf16(a) if name in brain else a for name, a in golden.inputs.items()}
    try:
        answers = dict(zip(session.output_names, session.run(golden.name, inputs), strict=True))
    except FarmError as error:
        raise ModelUnavailableError(f"golden '{golden.name}': {error.message}") from error
    for name, expected in golden.outputs.items():
        if name not in answers:
            raise ModelUnavailableError(
                f"golden '{golden.name}' expects output '{name}', which the model does not have"
            )
        found = _compared(answers[name], expected, golden)
        if found:
            raise ModelUnavailableError(
                f"golden '{golden.name}': output '{name}' {found}; the model or the runtime"
                " on this node does not compute what the golden's author saw"
            )


def _compared(actual: AnyArray, expected: AnyArray, golden: Golden) -> str:
    if actual.dtype == BF16 and actual.shape == expected.shape:
        actual, expected = to_floats(actual), to_floats(_as_bf16(expected))
    return difference(actual, expected, golden)


def _as_bf16(array: AnyArray) -> AnyArray:
    """Return bits that were stored as any two-byte numbers."""
    if array.dtype.itemsize != BF16.itemsize:
        raise ModelUnavailableError(
            f"a golden holds {array.dtype} for a BF16 tensor; store its bits as uint16"
        )
    return np.ascontiguousarray(array).view(BF16).reshape(array.shape)
