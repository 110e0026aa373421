"""Tensors as the wire carries them: row-major bytes with a datatype and a shape.

The gateway never interprets the bytes. Tensors whose rows are independent join along
axis 0 by concatenation and split again by arithmetic, or, for BYTES, by walking the
4-byte little-endian length in front of every element.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from math import prod

from farm.core.errors import InvalidRequestError


class Datatype(StrEnum):
    """Element types of the Open Inference Protocol v2."""

    BOOL = "BOOL"
    UINT8 = "UINT8"
    UINT16 = "UINT16"
    UINT32 = "UINT32"
    UINT64 = "UINT64"
    INT8 = "INT8"
    INT16 = "INT16"
    INT32 = "INT32"
    INT64 = "INT64"
    FP16 = "FP16"
    BF16 = "BF16"
    FP32 = "FP32"
    FP64 = "FP64"
    BYTES = "BYTES"

    @property
    def width_bytes(self) -> int | None:
        """Bytes per element, or None for BYTES, whose elements differ in length."""
        return _WIDTH_BYTES[self]


_WIDTH_BYTES: dict[Datatype, int | None] = {
    Datatype.BOOL: 1,
    Datatype.UINT8: 1,
    Datatype.UINT16: 2,
    Datatype.UINT32: 4,
    Datatype.UINT64: 8,
    Datatype.INT8: 1,
    Datatype.INT16: 2,
    Datatype.INT32: 4,
    Datatype.INT64: 8,
    Datatype.FP16: 2,
    Datatype.BF16: 2,
    Datatype.FP32: 4,
    Datatype.FP64: 8,
    Datatype.BYTES: None,
}

LENGTH_PREFIX_BYTES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """A named tensor. `raw` is row-major, little-endian, exactly `shape` elements."""

    name: str
    datatype: Datatype
    shape: tuple[int, ...]
    raw: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorSpec:
    """What a model takes or gives: -1 in `shape` is a dimension the request chooses.

    The shape is the whole shape, batch axis included.
    """

    name: str
    datatype: Datatype
    shape: tuple[int, ...]


def join(tensors: Sequence[Tensor]) -> Tensor:
    """Join tensors of one name, datatype and inner shape along axis 0.

    The caller has made sure that they are compatible (`scheduling` batches only those).
    """
    first = tensors[0]
    if len(tensors) == 1:
        return first
    rows = sum(tensor.shape[0] for tensor in tensors)
    return Tensor(
        name=first.name,
        datatype=first.datatype,
        shape=(rows, *first.shape[1:]),
        raw=b"".join([tensor.raw for tensor in tensors]),
    )


def split(tensor: Tensor, rows: Sequence[int]) -> tuple[Tensor, ...]:
    """Cut a tensor along axis 0 into pieces of `rows` rows each: the inverse of `join`.

    Raises:
        InvalidRequestError: the rows do not add up to the tensor's first dimension, or
            a BYTES tensor's length prefixes do not fit its bytes.
    """
    if not tensor.shape or sum(rows) != tensor.shape[0]:
        raise InvalidRequestError(
            f"tensor '{tensor.name}' of shape {list(tensor.shape)} cannot be split into"
            f" {sum(rows)} rows"
        )
    inner = tensor.shape[1:]
    width = tensor.datatype.width_bytes
    if width is None:
        cuts = _bytes_cuts(tensor, [count * prod(inner) for count in rows])
    else:
        cuts = list(accumulate((count * prod(inner) * width for count in rows), initial=0))
    return tuple(
        Tensor(
            name=tensor.name,
            datatype=tensor.datatype,
            shape=(count, *inner),
            raw=tensor.raw[start:end],
        )
        for count, start, end in zip(rows, cuts, cuts[1:], strict=False)
    )


def check_size(tensor: Tensor) -> None:
    """Check that `raw` holds exactly the elements that `shape` promises.

    Raises:
        InvalidRequestError: it does not; the message names both sizes.
    """
    elements = prod(tensor.shape)
    width = tensor.datatype.width_bytes
    if width is None:
        _bytes_cuts(tensor, [elements])
    elif len(tensor.raw) != elements * width:
        raise InvalidRequestError(
            f"input '{tensor.name}' has {len(tensor.raw)} bytes, but {tensor.datatype} of shape"
            f" {list(tensor.shape)} takes {elements * width}; send exactly that many"
        )


def _bytes_cuts(tensor: Tensor, counts: Sequence[int]) -> list[int]:
    """Return the byte offsets at which runs of `counts` length-prefixed elements begin and end."""
    raw = tensor.raw
    position = 0
    cuts = [0]
    for count in counts:
        for _ in range(count):
            body = position + LENGTH_PREFIX_BYTES
            if body > len(raw):
                raise _bytes_error(tensor)
            position = body + int.from_bytes(raw[position:body], "little")
            if position > len(raw):
                raise _bytes_error(tensor)
        cuts.append(position)
    if position != len(raw):
        raise _bytes_error(tensor)
    return cuts


def _bytes_error(tensor: Tensor) -> InvalidRequestError:
    return InvalidRequestError(
        f"tensor '{tensor.name}' of BYTES and shape {list(tensor.shape)} does not match its"
        f" {len(tensor.raw)} bytes; each element is a 4-byte little-endian length and that"
        " many bytes"
    )
