"""Arrays from the contents of files."""

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from farm.client.bfloat16 import as_bf16, from_bits
from farm.client.datatypes import DTYPES, AnyArray, datatype_of
from farm.core.errors import InvalidRequestError
from farm.core.tensors import Datatype

# The key of an array that its file gives no name.
UNNAMED = ""

_NPY_MAGIC = b"\x93NUMPY"
_ZIP_MAGIC = b"PK"
# Goldens keep a model's inputs and its expected outputs in one archive.
_GOLDEN_INPUT = "input:"


def read_arrays(content: bytes, shown: str) -> dict[str, AnyArray]:
    """Return the arrays in the bytes of a .npy, .npz or .json file by name.

    JSON is a list for one array, an object of lists by name, or the body of an Open
    Inference Protocol request, of which the inputs are taken. Of an archive with goldens the
    inputs are taken too. A single array without a name has the key `UNNAMED`. `shown` is
    what messages call the file.

    Raises:
        InvalidRequestError: it is none of them.
    """
    try:
        if content.startswith(_NPY_MAGIC):
            return {UNNAMED: np.load(io.BytesIO(content), allow_pickle=False)}
        if content.startswith(_ZIP_MAGIC):
            return _archive(content)
        return _from_json(json.loads(content))
    except (ValueError, KeyError, EOFError, RecursionError, zipfile.BadZipFile) as error:
        raise InvalidRequestError(
            f"{shown} is neither a PNG or JPEG picture, nor a .npy or .npz file without pickled"
            " objects, nor JSON with regular lists of numbers or strings"
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
    return {
        name: _fitted(name, array, datatypes[name]) if name in datatypes else array
        for name, array in arrays.items()
    }


def _fitted(name: str, array: AnyArray, datatype: Datatype) -> AnyArray:
    if array.dtype.kind not in "biuf" or datatype_of(array) is datatype:
        return array
    if datatype is Datatype.BF16:
        # Files have no BF16 either: goldens keep its bits.
        return from_bits(array) if array.dtype == np.uint16 else as_bf16(array)
    if datatype is Datatype.BYTES:
        return array
    wanted = DTYPES[datatype]
    with np.errstate(all="ignore"):
        converted = array.astype(wanted)
    overflows = wanted.kind == "f" and bool(np.any(np.isinf(converted) & np.isfinite(array)))
    if overflows or (wanted.kind != "f" and not np.array_equal(converted, array)):
        raise InvalidRequestError(
            f"input '{name}' is {datatype}, which does not hold all of its values"
        )
    return converted


def _archive(content: bytes) -> dict[str, AnyArray]:
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        inputs = [key for key in archive.files if key.startswith(_GOLDEN_INPUT)]
        return {key.removeprefix(_GOLDEN_INPUT): archive[key] for key in inputs or archive.files}


def _from_json(document: Any) -> dict[str, AnyArray]:
    if not isinstance(document, dict):
        return {UNNAMED: _regular(document)}
    tensors = document.get("inputs")
    if isinstance(tensors, list) and tensors and all(isinstance(t, dict) for t in tensors):
        return {str(tensor["name"]): _tensor(tensor) for tensor in tensors}
    return {name: _regular(values) for name, values in document.items()}


def _tensor(tensor: Mapping[str, Any]) -> AnyArray:
    """Return a tensor of a request's body; `data` may be flat or nested."""
    if not isinstance(tensor["shape"], list):
        raise ValueError("a shape that is no list")
    array = _regular(tensor["data"]).reshape(tensor["shape"])
    return _fitted(str(tensor["name"]), array, Datatype(tensor["datatype"]))


def _regular(values: Any) -> AnyArray:
    array: AnyArray = np.asarray(values)
    if array.dtype.kind not in "biufU":
        raise ValueError("not numbers, booleans or strings throughout")
    return array
