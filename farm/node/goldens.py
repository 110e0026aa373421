"""Golden vectors: inputs with the outputs a model must give for them.

A golden is an `.npz` without pickles: arrays `input:<name>` and `output:<name>`, and the
scalars `rtol` and `atol` of numpy's comparison `|a - b| <= atol + rtol * |b|`. Integer,
boolean and string outputs must be equal. BF16 is stored as its bits, in uint16.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from farm.core.errors import FarmError, ModelUnavailableError
from farm.core.tensors import Datatype
from farm.node.arrays import AnyArray
from farm.node.bfloat16 import BF16, to_floats
from farm.node.sessions import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """One golden file. `inputs` and `outputs` are by tensor name."""

    name: str
    inputs: dict[str, AnyArray]
    outputs: dict[str, AnyArray]
    rtol: float
    atol: float


def read_golden(path: Path) -> Golden:
    """Read a golden file.

    Raises:
        ModelUnavailableError: it is not one; the message names it.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
        return Golden(
            name=path.name,
            inputs=_named(arrays, "input:"),
            outputs=_named(arrays, "output:"),
            rtol=float(arrays["rtol"]),
            atol=float(arrays["atol"]),
        )
    except Exception as error:
        raise ModelUnavailableError(
            f"golden file '{path.name}' cannot be read ({type(error).__name__}); it must be an"
            " .npz with input:<name>, output:<name>, rtol and atol"
        ) from error


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
        difference = _difference(answers[name], expected, golden)
        if difference:
            raise ModelUnavailableError(
                f"golden '{golden.name}': output '{name}' {difference}; the model or the runtime"
                " on this node does not compute what the golden's author saw"
            )


def _difference(actual: AnyArray, expected: AnyArray, golden: Golden) -> str:
    if actual.shape != expected.shape:
        return f"has shape {list(actual.shape)} instead of {list(expected.shape)}"
    if actual.dtype == BF16:
        actual, expected = to_floats(actual), to_floats(_as_bf16(expected))
    if expected.dtype.kind != "f":
        if expected.dtype.kind in "SU":
            actual, expected = _as_text(actual), _as_text(expected)
        equal = np.array_equal(actual, expected)
        return "" if equal else "is not equal to the expected values"
    if np.allclose(actual, expected, rtol=golden.rtol, atol=golden.atol, equal_nan=True):
        return ""
    worst = float(np.max(np.abs(actual.astype(np.float64) - expected.astype(np.float64))))
    return f"differs by up to {worst:.3g} (rtol {golden.rtol:g}, atol {golden.atol:g})"


def _as_bf16(array: AnyArray) -> AnyArray:
    """Return bits that were stored as any two-byte numbers."""
    if array.dtype.itemsize != BF16.itemsize:
        raise ModelUnavailableError(
            f"a golden holds {array.dtype} for a BF16 tensor; store its bits as uint16"
        )
    return np.ascontiguousarray(array).view(BF16).reshape(array.shape)


def _as_text(strings: AnyArray) -> AnyArray:
    """Return strings or bytes as an array of str objects of any length."""
    text = [s.decode() if isinstance(s, bytes) else str(s) for s in strings.reshape(-1).tolist()]
    array = np.empty(len(text), dtype=np.object_)
    array[:] = text
    return array.reshape(strings.shape)


def _named(arrays: dict[str, AnyArray], prefix: str) -> dict[str, AnyArray]:
    return {
        key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)
    }
