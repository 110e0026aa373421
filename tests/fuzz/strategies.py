"""Requests as Hypothesis draws them: well-formed protobuf that makes little sense.

Each field is filled from its descriptor, so that a message of the protocol that is added
later is drawn too. Names are mostly ones that the farm knows, or nothing would get past
the first look.
"""

from collections.abc import Sequence
from typing import Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

_EDGES: Final = (0, 1, 2, 16, 127, 255, 2**31 - 1, 2**32 - 1, 2**63 - 1)
_RANGES: Final = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
_FEW: Final = 3


def messages(
    kind: type[Message], *, words: Sequence[str], blobs: Sequence[bytes]
) -> st.SearchStrategy[Message]:
    """Draw messages of a kind, their texts mostly from `words`, their bytes from `blobs`."""
    text = st.sampled_from(words) | st.text(max_size=12)
    data = st.sampled_from(blobs) | st.binary(max_size=80)

    @st.composite
    def drawn(draw: st.DrawFn) -> Message:
        return _filled(draw, kind, text, data)

    return drawn()


def _filled(
    draw: st.DrawFn,
    kind: type[Message],
    text: st.SearchStrategy[str],
    data: st.SearchStrategy[bytes],
) -> Message:
    message = kind()
    for field in kind.DESCRIPTOR.fields:
        if field.containing_oneof is not None and message.WhichOneof(field.containing_oneof.name):
            continue
        for _ in range(draw(st.integers(0, _FEW if field.is_repeated else 1))):
            _add(draw, message, field, text, data)
    return message


def _add(
    draw: st.DrawFn,
    message: Message,
    field: FieldDescriptor,
    text: st.SearchStrategy[str],
    data: st.SearchStrategy[bytes],
) -> None:
    """Set a field, or add to it where it is repeated."""
    held = getattr(message, field.name)
    if field.message_type is None:
        value = draw(_scalar(field, text, data))
        if field.is_repeated:
            held.append(value)
        else:
            setattr(message, field.name, value)
    elif field.message_type.GetOptions().map_entry:
        entry = field.message_type.fields_by_name
        key = draw(_scalar(entry["key"], text, data))
        kind = entry["value"].message_type
        if kind is None:
            held[key] = draw(_scalar(entry["value"], text, data))
        else:
            held[key].CopyFrom(_filled(draw, GetMessageClass(kind), text, data))
    else:
        inner = _filled(draw, GetMessageClass(field.message_type), text, data)
        (held.add() if field.is_repeated else held).CopyFrom(inner)


def _scalar(
    field: FieldDescriptor, text: st.SearchStrategy[str], data: st.SearchStrategy[bytes]
) -> st.SearchStrategy[object]:
    if field.cpp_type in _RANGES:
        low, high = _RANGES[field.cpp_type]
        edges = [edge for edge in (*_EDGES, -1, low, high) if low <= edge <= high]
        return st.sampled_from(edges) | st.integers(low, high)
    if field.cpp_type in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
        return st.floats(width=32)
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return st.booleans()
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        return st.sampled_from([value.number for value in field.enum_type.values])
    return text if field.type == FieldDescriptor.TYPE_STRING else data
