"""Golden vectors: inputs with the outputs a model must give for them.

A golden is an `.npz` without pickles: arrays `input:<name>` and `output:<name>`, and the
scalars `rtol` and `atol` of numpy's comparison `|a - b| <= atol + rtol * |b|`. Integer,
boolean and string outputs must be equal. BF16 is stored as its bits, in uint16.

Nodes check them before a model serves, the operator's machine through a whole farm.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from farm.core.errors import ModelUnavailableError

AnyArray = NDArray[Any]

# Of a golden's arrays together: nodes hold one in memory, and a file of kilobytes unpacks to more
# than a Pi has.
_MAX_BYTES = 128 << 20


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
            _check_unpacked(path.name, archive.zip)
            arrays = {key: archive[key] for key in archive.files}
        return Golden(
            name=path.name,
            inputs=_named(arrays, "input:"),
            outputs=_named(arrays, "output:"),
            rtol=float(arrays["rtol"]),
            atol=float(arrays["atol"]),
        )
    except ModelUnavailableError:
        raise
    except Exception as error:
        raise ModelUnavailableError(
            f"golden file '{path.name}' cannot be read ({type(error).__name__}); it must be an"
            " .npz with input:<name>, output:<name>, rtol and atol"
        ) from error


def _check_unpacked(name: str, archive: ZipFile) -> None:
    # No more than that is unpacked, whatever is really there.
    unpacked_bytes = sum(member.file_size for member in archive.infolist())
    if unpacked_bytes > _MAX_BYTES:
        raise ModelUnavailableError(
            f"golden file '{name}' unpacks to {unpacked_bytes} bytes, and {_MAX_BYTES} are allowed;"
            " share its rows out to several files"
        )


def difference(actual: AnyArray, expected: AnyArray, golden: Golden) -> str:
    """Say how an output differs from what a golden expects; nothing if it does not."""
    if actual.shape != expected.shape:
        return f"has shape {list(actual.shape)} instead of {list(expected.shape)}"
    if expected.dtype.kind != "f":
        if expected.dtype.kind in "SU":
            actual, expected = _as_text(actual), _as_text(expected)
        equal = np.array_equal(actual, expected)
        return "" if equal else "is not equal to the expected values"
    if np.allclose(actual, expected, rtol=golden.rtol, atol=golden.atol, equal_nan=True):
        return ""
    worst = float(np.max(np.abs(actual.astype(np.float64) - expected.astype(np.float64))))
    return f"differs by up to {worst:.3g} (rtol {golden.rtol:g}, atol {golden.atol:g})"


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
