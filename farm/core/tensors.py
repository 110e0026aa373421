"""Tensors as the wire carries them: row-major bytes with a datatype and a shape.

The gateway never interprets the bytes. Tensors whose rows are independent join along
axis 0 by concatenation, BYTES too: each of their elements stands behind its 4-byte
little-endian length. The node splits them again (`farm.node.arrays.split_rows`).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
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

    Shapes are whole shapes, batch axis included. `shape` is what requests and answers show,
    `model_shape` the model's own where its config reshapes the tensor: the same elements in
    the same order. An `optional` input may be left out of a request.
    """

    name: str
    datatype: Datatype
    shape: tuple[int, ...]
    optional: bool = False
    model_shape: tuple[int, ...] | None = None


def fits(shape: Sequence[int], pattern: Sequence[int]) -> bool:
    """Whether a shape is one that a pattern allows: -1 in the pattern is any size from 0."""
    return len(shape) == len(pattern) and all(
        size >= 0 and wanted in (-1, size) for size, wanted in zip(shape, pattern, strict=True)
    )


def filled(target: Sequence[int], shape: Sequence[int], pattern: Sequence[int]) -> tuple[int, ...]:
    """Return `target` with its -1s replaced by the sizes that `pattern` leaves open, in order.

    `shape` fits `pattern`, and the two patterns have equally many -1s.
    """
    chosen = iter([size for size, wanted in zip(shape, pattern, strict=True) if wanted == -1])
    return tuple(next(chosen) if size == -1 else size for size in target)


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


def pack_strings(elements: Iterable[bytes]) -> bytes:
    """Return BYTES elements as the wire has them: each behind its 4-byte length."""
    parts = []
    for element in elements:
        parts.append(len(element).to_bytes(LENGTH_PREFIX_BYTES, "little"))
        parts.append(element)
    return b"".join(parts)


def pack_texts(elements: Iterable[object]) -> bytes:
    """Return strings as the wire has them: bytes as they are, anything else as UTF-8 text."""
    return pack_strings(
        element if isinstance(element, bytes) else str(element).encode() for element in elements
    )


def unpack_strings(raw: bytes) -> list[bytes]:
    """Return the elements of a BYTES tensor: the inverse of `pack_strings`.

    Raises:
        ValueError: the length prefixes do not fit the bytes.
    """
    return [raw[begin:end] for begin, end in string_spans(raw)]


def string_spans(raw: bytes) -> Iterator[tuple[int, int]]:
    """Yield where each element of a BYTES tensor begins and ends.

    Raises:
        ValueError: the length prefixes do not fit the bytes.
    """
    end = 0
    while end < len(raw):
        begin = end + LENGTH_PREFIX_BYTES
        end = begin + int.from_bytes(raw[end:begin], "little")
        if end > len(raw):
            raise ValueError("a length prefix reaches beyond the end")
        yield begin, end


def check_size(tensor: Tensor) -> None:
    """Check that `raw` holds exactly the elements that `shape` promises.

    Raises:
        InvalidRequestError: it does not; the message names both sizes.
    """
    elements = prod(tensor.shape)
    width = tensor.datatype.width_bytes
    if width is None:
        _check_strings(tensor, elements)
    elif len(tensor.raw) != elements * width:
        raise InvalidRequestError(
            f"input '{tensor.name}' has {len(tensor.raw)} bytes, but {tensor.datatype} of shape"
            f" {list(tensor.shape)} takes {elements * width}; send exactly that many"
        )


def _check_strings(tensor: Tensor, elements: int) -> None:
    try:
        found = sum(1 for _ in string_spans(tensor.raw))
    except ValueError:
        found = -1
    if found != elements:
        raise InvalidRequestError(
            f"tensor '{tensor.name}' of BYTES and shape {list(tensor.shape)} does not match its"
            f" {len(tensor.raw)} bytes; each element is a 4-byte little-endian length and that"
            " many bytes"
        )
