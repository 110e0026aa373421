"""The protocol's element types as numpy has them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from farm.client.bfloat16 import bf16_dtype, is_bf16
from farm.core.tensors import Datatype

AnyArray = NDArray[np.generic]

_BY_NAME: Mapping[str, Datatype] = {
    "bool": Datatype.BOOL,
    "uint8": Datatype.UINT8,
    "uint16": Datatype.UINT16,
    "uint32": Datatype.UINT32,
    "uint64": Datatype.UINT64,
    "int8": Datatype.INT8,
    "int16": Datatype.INT16,
    "int32": Datatype.INT32,
    "int64": Datatype.INT64,
    "float16": Datatype.FP16,
    "float32": Datatype.FP32,
    "float64": Datatype.FP64,
}

NAMES = (*_BY_NAME, "bfloat16")
DTYPES = {datatype: np.dtype(name).newbyteorder("<") for name, datatype in _BY_NAME.items()}


def datatype_of(array: AnyArray) -> Datatype | None:
    """Return how the protocol calls an array's type; None where it has none."""
    if array.dtype.kind in "OSU":
        return Datatype.BYTES
    if is_bf16(array.dtype):
        return Datatype.BF16
    return _BY_NAME.get(array.dtype.name)


def wire_dtype(datatype: Datatype) -> "np.dtype[Any]":
    """Return the little-endian numpy type of a datatype of fixed width.

    Raises:
        KeyError: it is BYTES.
    """
    return bf16_dtype() if datatype is Datatype.BF16 else DTYPES[datatype]
