"""The protocol's classification extension: an output as its highest values with names.

Each class is the text `value:index`, or `value:index:label` where the model's config names
labels, highest value first (Triton's format; equal values in the order of their index).
"""

import heapq
import struct
from array import array
from collections.abc import Sequence
from math import prod

from farm.core.errors import InvalidRequestError
from farm.core.tensors import Datatype, Tensor, pack_strings

_TYPECODES = {
    Datatype.UINT8: "B",
    Datatype.INT8: "b",
    Datatype.UINT16: "H",
    Datatype.INT16: "h",
    Datatype.UINT32: "I",
    Datatype.INT32: "i",
    Datatype.UINT64: "Q",
    Datatype.INT64: "q",
    Datatype.FP32: "f",
    Datatype.FP64: "d",
}
MAX_CLASSES = 1_000

_FLOATS = (Datatype.FP16, Datatype.BF16, Datatype.FP32, Datatype.FP64)


def check_classifiable(name: str, datatype: Datatype, count: int) -> None:
    """Check that an output can be asked for as its `count` highest classes.

    Raises:
        InvalidRequestError: it has no numbers, or the count is below 1 or above `MAX_CLASSES`.
    """
    if datatype in (Datatype.BYTES, Datatype.BOOL):
        raise InvalidRequestError(
            f"output '{name}' is {datatype}, which has no highest values; ask for it without"
            " 'classification'"
        )
    if not 1 <= count <= MAX_CLASSES:
        raise InvalidRequestError(
            f"output '{name}': parameter 'classification' must be between 1 and {MAX_CLASSES}, not"
            f" {count}"
        )


def classified(tensor: Tensor, count: int, *, batched: bool, labels: Sequence[str]) -> Tensor:
    """Return a BYTES tensor of the `count` highest classes, of each row where batched.

    Its shape is [rows, classes], or [classes] without a batch axis.
    """
    rows = tensor.shape[0] if batched else 1
    width = prod(tensor.shape[1:]) if batched else prod(tensor.shape)
    count = min(count, width)
    values = _numbers(tensor)
    style = "%f" if tensor.datatype in _FLOATS else "%d"
    classes: list[bytes] = []
    for row in range(rows):
        own = values[row * width : (row + 1) * width]
        for index in heapq.nlargest(count, range(width), key=lambda i: (_rank(own[i]), -i)):
            label = f":{labels[index]}" if index < len(labels) else ""
            classes.append(f"{style % own[index]}:{index}{label}".encode())
    return Tensor(
        name=tensor.name,
        datatype=Datatype.BYTES,
        shape=(rows, count) if batched else (count,),
        raw=pack_strings(classes),
    )


def _rank(value: float) -> float:
    """Return what to sort by: not-a-number comes last instead of anywhere."""
    return value if value == value else float("-inf")  # noqa: PLR0124 - only NaN differs from itself


def _numbers(tensor: Tensor) -> Sequence[float]:
    if tensor.datatype is Datatype.FP16:
        return struct.unpack(f"<{len(tensor.raw) // 2}e", tensor.raw)
    if tensor.datatype is Datatype.BF16:
        # The upper half of a 32-bit float.
        halves = array("H", tensor.raw)
        return array("f", array("I", [half << 16 for half in halves]).tobytes())
    return array(_TYPECODES[tensor.datatype], tensor.raw)
