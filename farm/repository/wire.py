"""Protobuf's wire format, walked field by field without loading what does not matter.

The source is not trusted: lengths are checked against what encloses them, and the number
of fields is bounded, so that the work is too.
"""

import os
from collections.abc import Iterator
from typing import BinaryIO, Final

MAX_FIELDS: Final = 5_000_000
"""About ten seconds of work; an ONNX model of 100,000 operators has some two millions."""

VARINT: Final = 0
FIXED64: Final = 1
LENGTH: Final = 2
FIXED32: Final = 5

_MASK: Final = (1 << 64) - 1


class MalformedError(Exception):
    """The bytes are not such a message; the text says why."""


class WireReader:
    """Reads one message from the start of a stream that can be sought in."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.end = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        self._position = 0  # where the stream is
        self._fields_left = MAX_FIELDS

    def fields(self, end: int) -> Iterator[tuple[int, int, int]]:
        """Yield number, wire type and value of each field up to `end`.

        The value of a field with a length is where it ends. What the caller leaves of it
        is skipped.
        """
        while self._position < end:
            self._fields_left -= 1
            if self._fields_left < 0:
                raise MalformedError(f"it has more than {MAX_FIELDS} fields")
            tag = self._varint()
            number, wire = tag >> 3, tag & 7
            if number == 0:
                raise MalformedError("it has a field with the number 0")
            if wire == VARINT:
                value = self._varint()
                stop = self._position
            elif wire == LENGTH:
                length = self._varint()
                value = stop = self._position + length
            elif wire in (FIXED32, FIXED64):
                value = stop = self._position + (4 if wire == FIXED32 else 8)
            else:
                raise MalformedError(f"it has a field of the unknown wire type {wire}")
            if stop > end:
                raise MalformedError("it is cut off, or a length in it is wrong")
            yield number, wire, value
            if self._position != stop:
                self._stream.seek(stop - self._position, os.SEEK_CUR)
                self._position = stop

    def text(self, end: int, max_bytes: int) -> str | None:
        """Read a string up to `end`; return None, and leave it, if it is too long."""
        length = end - self._position
        if length > max_bytes:
            return None
        data = self._stream.read(length)
        self._position += len(data)
        if len(data) < length:
            raise MalformedError("it is cut off")
        return data.decode("utf-8", "replace")

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._stream.read(1)
            if not byte:
                raise MalformedError("it is cut off")
            self._position += 1
            value |= (byte[0] & 0x7F) << shift
            if byte[0] < 0x80:
                return value & _MASK
            shift += 7
            if shift > 63:
                raise MalformedError("it has a number of more than 64 bits")


def signed(value: int) -> int:
    """Return what an int64 stands for that was read as a varint."""
    return value - (1 << 64) if value >> 63 else value
