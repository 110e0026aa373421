"""Messages are looked through before protobuf reads them.

A message that is within its bytes can take forty times as many once it is read: an empty input
takes two bytes on the wire and over eighty in memory. So what a large message holds is counted on
the wire first, and one that holds too much is refused unread.
"""

from collections.abc import Callable
from typing import Final, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

# What a smaller message may become in memory, some 3 MB, is let be.
LOOKED_THROUGH_BYTES: Final = 64 << 10

_VARINT, _FIXED64, _LENGTH, _GROUP, _END_GROUP, _FIXED32 = range(6)
# Bytes that do not end a number.
_CONTINUED: Final = bytes(range(0x80, 0x100))
_MAX_VARINT_BYTES: Final = 10
_FIXED_BYTES: Final = {
    FieldDescriptor.TYPE_DOUBLE: 8,
    FieldDescriptor.TYPE_FIXED64: 8,
    FieldDescriptor.TYPE_SFIXED64: 8,
    FieldDescriptor.TYPE_FLOAT: 4,
    FieldDescriptor.TYPE_FIXED32: 4,
    FieldDescriptor.TYPE_SFIXED32: 4,
}
# Of these a field with a length is one value; of all others it is many, packed.
_WHOLE: Final = (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES)


class TooMuchError(ValueError):
    """A message holds more than it may; the text says what, the limit and what to do."""


def bounded_parser(
    kind: type[Message], *, max_fields: int, max_values: int
) -> Callable[[bytes], Message]:
    """Return what reads a message of a kind that has no more than so many fields and values.

    Fields are counted with those of the messages in it, values are numbers that stand packed in
    one field. It raises `TooMuchError`, or what protobuf does for bytes that are no such message.
    """
    parse: Callable[[bytes], Message] = kind.FromString
    # The stubs know a second class for it, of protobuf's own C.
    descriptor = cast(Descriptor, kind.DESCRIPTOR)

    def bounded(raw: bytes) -> Message:
        if len(raw) > LOOKED_THROUGH_BYTES:
            _Count(raw, max_fields, max_values).message(descriptor, 0, len(raw))
        return parse(raw)

    return bounded


class _CutOffError(Exception):
    """The bytes are no message; protobuf says so in its own words."""


class _Count:
    """One pass over a message's bytes."""

    def __init__(self, raw: bytes, max_fields: int, max_values: int) -> None:
        self._raw = raw
        self._max_fields = max_fields
        self._max_values = max_values
        self._fields = 0
        self._values = 0

    def message(self, kind: Descriptor, start: int, end: int) -> None:
        """Count what a message of a kind holds between two positions.

        None of the kinds holds itself, so that only what is unknown can nest without end; that
        is not looked into, nor is it by protobuf.
        """
        try:
            self._message(kind, start, end)
        except (_CutOffError, IndexError):
            return

    def _message(self, kind: Descriptor, start: int, end: int) -> None:
        position = start
        groups = 0  # that are open; protobuf skips whatever is in one
        known = kind.fields_by_number
        while position < end:
            self._fields += 1
            if self._fields > self._max_fields:
                raise TooMuchError(
                    f"the message has more than {self._max_fields} fields and elements, as"
                    " many as are read; send tensors as raw contents, or fewer in a request"
                )
            tag, position = self._varint(position)
            wire = tag & 7
            if wire == _VARINT:
                _, position = self._varint(position)
            elif wire == _LENGTH:
                length, position = self._varint(position)
                stop = position + length
                if stop > end:
                    raise _CutOffError
                field = None if groups else known.get(tag >> 3)
                if field is None:
                    pass
                elif field.message_type is not None:
                    self._message(field.message_type, position, stop)
                elif field.type not in _WHOLE:
                    self._packed(field, position, stop)
                position = stop
            elif wire in (_FIXED32, _FIXED64):
                position += 4 if wire == _FIXED32 else 8
            elif wire == _GROUP:
                groups += 1
            elif wire == _END_GROUP and groups:
                groups -= 1
            else:
                raise _CutOffError

    def _packed(self, field: FieldDescriptor, start: int, stop: int) -> None:
        width = _FIXED_BYTES.get(field.type)
        if width is not None:
            self._values += (stop - start) // width
        else:
            self._values += len(self._raw[start:stop].translate(None, _CONTINUED))
        if self._values > self._max_values:
            raise TooMuchError(
                f"the message has more than {self._max_values} typed values, as many as are"
                " read; send large tensors as raw contents"
            )

    def _varint(self, position: int) -> tuple[int, int]:
        """Return a number and where it ends."""
        value = shift = 0
        for _ in range(_MAX_VARINT_BYTES):
            byte = self._raw[position]
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, position
            shift += 7
        raise _CutOffError
