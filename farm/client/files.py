"""Arrays from files, for the command line."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

from farm.client.codec import DTYPES, AnyArray
from farm.core.errors import InvalidRequestError
from farm.core.tensors import Datatype

_NPY_MAGIC = b"\x93NUMPY"


def read_array(file: Path | None, stdin: BinaryIO) -> AnyArray:
    """Return the array in a .npy or .json file, or, without a file, on standard input.

    Raises:
        InvalidRequestError: it cannot be read or is neither; the message names the file.
    """
    shown = str(file) if file is not None else "standard input"
    try:
        content = file.read_bytes() if file is not None else stdin.read()
    except OSError as error:
        raise InvalidRequestError(f"{shown} cannot be read: {error.strerror}") from error
    try:
        if content.startswith(_NPY_MAGIC):
            loaded: AnyArray = np.load(io.BytesIO(content), allow_pickle=False)
            return loaded
        array: AnyArray = np.asarray(json.loads(content))
        if array.dtype.kind not in "biufU":
            raise ValueError("not numbers, booleans or strings throughout")
        return array
    except ValueError as error:
        raise InvalidRequestError(
            f"{shown} is neither a .npy file nor JSON with a regular list of numbers or strings"
        ) from error


def fit_datatypes(
    arrays: Mapping[str, AnyArray], datatypes: Mapping[str, Datatype]
) -> dict[str, AnyArray]:
    """Return the arrays with the datatypes that a model's inputs have.

    JSON knows only one kind of integer and of float, so numbers are converted where no
    value changes its kind; the server judges the rest.

    Raises:
        InvalidRequestError: a value does not fit the model's datatype.
    """
    fitted = {}
    for name, array in arrays.items():
        wanted = DTYPES.get(datatypes[name]) if name in datatypes else None
        numbers = array.dtype.kind in "biuf"
        if wanted is None or array.dtype == wanted or not numbers:
            fitted[name] = array
            continue
        with np.errstate(all="ignore"):
            converted = array.astype(wanted)
        overflows = wanted.kind == "f" and bool(np.any(np.isinf(converted) & np.isfinite(array)))
        if overflows or (wanted.kind != "f" and not np.array_equal(converted, array)):
            raise InvalidRequestError(
                f"input '{name}' is {datatypes[name]}, which does not hold all of its values"
            )
        fitted[name] = converted
    return fitted
