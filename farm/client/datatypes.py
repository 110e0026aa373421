"""The protocol's element types as numpy has them.

numpy has no bfloat16. Arrays of ml_dtypes' are taken, and given back where that package is
installed; elsewhere a BF16 tensor is an array of uint16 that holds the raw bits. Its dtype
remembers what it is, so such an array can be sent again; `as_bf16` makes one of numbers and
`as_numbers` turns one into float32.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
_BF16 = "bfloat16"

NAMES = (*_BY_NAME, _BF16)
DTYPES = {datatype: np.dtype(name).newbyteorder("<") for name, datatype in _BY_NAME.items()}

_BF16_BITS = np.dtype("<u2", metadata={"datatype": Datatype.BF16})


def datatype_of(array: AnyArray) -> Datatype | None:
    """Return how the protocol calls an array's type; None where it has none."""
    dtype = array.dtype
    if dtype.kind in "OSU":
        return Datatype.BYTES
    if dtype.name == _BF16 or (
        dtype.metadata is not None and dtype.metadata == _BF16_BITS.metadata
    ):
        return Datatype.BF16
    return _BY_NAME.get(dtype.name)


def wire_dtype(datatype: Datatype) -> "np.dtype[Any]":
    """Return the little-endian numpy type of a datatype of fixed width.

    Raises:
        KeyError: it is BYTES.
    """
    return _bf16_dtype() if datatype is Datatype.BF16 else DTYPES[datatype]


def as_bf16(numbers: AnyArray) -> AnyArray:
    """Return numbers as BF16, rounded to the nearest, ties to even."""
    dtype = _bf16_dtype()
    if dtype is not _BF16_BITS:
        return numbers.astype(dtype)
    single = np.ascontiguousarray(numbers, dtype="<f4")
    bits = single.view("<u4").reshape(single.shape)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> 16) & np.uint32(1))) >> np.uint32(16)
    # Rounding up would turn some NaNs into infinity.
    kept = np.where(np.isnan(single), (bits >> np.uint32(16)) | np.uint32(0x40), rounded)
    return from_bf16_bits(kept.astype(np.uint16))


def from_bf16_bits(bits: AnyArray) -> AnyArray:
    """Return uint16 that holds the raw bits of BF16 as such an array."""
    return bits.view(_bf16_dtype())


def as_numbers(array: AnyArray) -> AnyArray:
    """Return BF16 as float32, and every other array as it is."""
    if datatype_of(array) is not Datatype.BF16:
        return array
    if array.dtype.name == _BF16:
        return array.astype(np.float32)
    return (array.astype("<u4") << np.uint32(16)).view("<f4").reshape(array.shape)


@cache
def _bf16_dtype() -> "np.dtype[Any]":
    try:
        import ml_dtypes
    except ModuleNotFoundError:
        return _BF16_BITS
    dtype: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
    return dtype
