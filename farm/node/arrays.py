"""Bytes to numpy arrays and back."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from farm.core.actor_messages import WireTensor
from farm.core.errors import ExecutionFailedError, InvalidRequestError
from farm.core.tensors import Datatype, pack_texts, unpack_strings
from farm.node.bfloat16 import BF16

AnyArray = NDArray[np.generic]

DTYPES: dict[Datatype, np.dtype[np.generic]] = {
    Datatype.BOOL: np.dtype(np.bool_),
    Datatype.UINT8: np.dtype("<u1"),
    Datatype.UINT16: np.dtype("<u2"),
    Datatype.UINT32: np.dtype("<u4"),
    Datatype.UINT64: np.dtype("<u8"),
    Datatype.INT8: np.dtype("<i1"),
    Datatype.INT16: np.dtype("<i2"),
    Datatype.INT32: np.dtype("<i4"),
    Datatype.INT64: np.dtype("<i8"),
    Datatype.FP16: np.dtype("<f2"),
    Datatype.BF16: BF16,
    Datatype.FP32: np.dtype("<f4"),
    Datatype.FP64: np.dtype("<f8"),
    Datatype.BYTES: np.dtype(np.object_),
}
_NAMES = {dtype: str(datatype) for datatype, dtype in DTYPES.items()}


def to_array(name: str, datatype: str, shape: tuple[int, ...], raw: bytes) -> AnyArray:
    """Return an array over `raw` (read-only, no copy) or, for BYTES, of strings.

    Raises:
        InvalidRequestError: `raw` does not hold what `shape` promises, or holds strings
            that are not UTF-8.
    """
    dtype = DTYPES[Datatype(datatype)]
    try:
        if dtype.hasobject:
            return _strings(raw, shape)
        return np.frombuffer(raw, dtype=dtype).reshape(shape)
    except UnicodeDecodeError as error:
        raise InvalidRequestError(
            f"input '{name}' holds a string that is not UTF-8, and the strings of ONNX models are"
            " text; encode it as UTF-8, base64 for instance"
        ) from error
    except ValueError as error:
        raise InvalidRequestError(
            f"input '{name}' has {len(raw)} bytes, which is not {datatype} of shape {list(shape)}"
        ) from error


def to_wire(name: str, array: AnyArray) -> WireTensor:
    """Return an output as the wire carries it."""
    if array.dtype.kind in "OSU":
        return (name, str(Datatype.BYTES), array.shape, pack_texts(array.reshape(-1)))
    return (name, _NAMES[array.dtype], array.shape, array.tobytes())


def split_rows(
    names: Sequence[str], arrays: Sequence[AnyArray], rows: Sequence[int]
) -> tuple[tuple[WireTensor, ...], ...]:
    """Cut outputs along axis 0 into each member's own.

    Raises:
        ExecutionFailedError: an output does not have one row for each row that went in.
    """
    total = sum(rows)
    for name, array in zip(names, arrays, strict=True):
        if array.ndim == 0 or array.shape[0] != total:
            raise ExecutionFailedError(
                f"output '{name}' has shape {list(array.shape)} for {total} rows, so it cannot be"
                " batched; set max_batch_size: 0 in the model's config"
            )
    members = []
    start = 0
    for count in rows:
        end = start + count
        members.append(
            tuple(
                to_wire(name, array[start:end]) for name, array in zip(names, arrays, strict=True)
            )
        )
        start = end
    return tuple(members)


def _strings(raw: bytes, shape: tuple[int, ...]) -> AnyArray:
    # ONNX Runtime wants text: of a bytes object it would take the repr.
    elements = [element.decode() for element in unpack_strings(raw)]
    array = np.empty(len(elements), dtype=np.object_)
    array[:] = elements
    return array.reshape(shape)
