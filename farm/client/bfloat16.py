"""BF16, which numpy does not have.

Arrays of ml_dtypes' bfloat16 are taken, and given back where that package is installed.
Elsewhere a BF16 array is one of records with a single field of raw bits, so that nothing
takes it for integers and numpy's own functions (stack, concatenate, indexing) keep what it
is. `as_bf16` makes one of numbers, `as_numbers` turns one into float32.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from farm.client.datatypes import AnyArray

_BITS = np.dtype([("bf16", "<u2")])
_ML_DTYPES_NAME = "bfloat16"


def is_bf16(dtype: np.dtype[Any]) -> bool:
    """Return whether elements are BF16, as either of the two types."""
    return dtype == _BITS or dtype.name == _ML_DTYPES_NAME


@cache
def bf16_dtype() -> np.dtype[Any]:
    """Return the type that BF16 arrays get here."""
    try:
        import ml_dtypes
    except ModuleNotFoundError:
        return _BITS
    dtype: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
    return dtype


def as_bf16(numbers: AnyArray) -> AnyArray:
    """Return numbers as BF16, rounded to the nearest, ties to even."""
    if bf16_dtype() != _BITS:
        return numbers.astype(bf16_dtype())
    single = np.asarray(numbers, dtype="<f4", order="C")
    bits = single.view("<u4")
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> 16) & np.uint32(1))) >> np.uint32(16)
    # Rounding up would turn some NaNs into infinity.
    kept = np.where(np.isnan(single), (bits >> np.uint32(16)) | np.uint32(0x40), rounded)
    return from_bits(kept.astype("<u2"))


def from_bits(bits: AnyArray) -> AnyArray:
    """Return uint16 that holds the raw bits of BF16 as such an array."""
    return bits.view(bf16_dtype())


def as_numbers(array: AnyArray) -> AnyArray:
    """Return BF16 as float32, which holds it exactly, and every other array as it is."""
    if not is_bf16(array.dtype):
        return array
    return (array.view("<u2").astype("<u4") << 16).view("<f4").reshape(array.shape)
