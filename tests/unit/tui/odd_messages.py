"""Messages with anything in their fields, as a gateway of another version may send."""

from random import Random
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

TEXTS = (
    "", "ready", "lost", "cordoned", "measured", "error", "pi-1", "pi-2", "[red]", "[/]", "$error",
    "\x1b[2J", "a\nb", "\0", "派" * 30, "x" * 500, "\u202e",
)  # fmt: skip
FLOATS = (0.0, -1.0, 0.5, 1e-300, 1e300, float("nan"), float("inf"), -float("inf"))
BITS = {
    FieldDescriptor.CPPTYPE_INT32: 31,
    FieldDescriptor.CPPTYPE_INT64: 63,
    FieldDescriptor.CPPTYPE_UINT32: 32,
    FieldDescriptor.CPPTYPE_UINT64: 64,
}


def value(random: Random, field: FieldDescriptor) -> Any:
    kind = field.cpp_type
    if kind in BITS:
        highest = 2 ** BITS[kind] - 1
        return random.choice((0, 1, 2, highest, random.randint(0, highest)))
    if kind == FieldDescriptor.CPPTYPE_STRING:
        text = random.choice(TEXTS)
        return text if field.type == FieldDescriptor.TYPE_STRING else text.encode()
    if kind == FieldDescriptor.CPPTYPE_BOOL:
        return random.random() < 0.5
    return random.choice(FLOATS)


def message(random: Random, kind: type[Message]) -> Any:
    """A message of a kind, with anything in its fields."""
    made = kind()
    for field in kind.DESCRIPTOR.fields:
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            continue
        for _ in range(random.randint(0, 3 if field.is_repeated else 1)):
            inner = field.message_type and message(random, field.message_type._concrete_class)
            if field.is_repeated:
                getattr(made, field.name).append(inner or value(random, field))
            elif inner:
                getattr(made, field.name).CopyFrom(inner)
            else:
                setattr(made, field.name, value(random, field))
    return made
