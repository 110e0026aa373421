"""Batches without a single row: run as one row of padding that nobody sees.

Many kernels were never tried on an empty axis 0, and some crash on one.
"""

from collections.abc import Sequence

import numpy as np

from farm.node.arrays import AnyArray


def pad_empty(feeds: dict[str, AnyArray]) -> dict[str, AnyArray]:
    """Return one row of zeros, or of strings "0", in the place of no rows."""
    return {
        name: _row(array) if array.shape[:1] == (0,) else array for name, array in feeds.items()
    }


def cut_padding(outputs: Sequence[AnyArray]) -> list[AnyArray]:
    """Return what the model answered for no rows: its inner dimensions and nothing in them."""
    return [array[:0] if array.shape[:1] == (1,) else array for array in outputs]


def _row(empty: AnyArray) -> AnyArray:
    shape = (1, *empty.shape[1:])
    if empty.dtype.hasobject:
        return np.full(shape, "0", dtype=np.object_)
    return np.zeros(shape, dtype=empty.dtype)
