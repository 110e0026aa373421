"""Good messages with a few values changed: they parse, so the fault is found further in."""

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from mutations import mutated

_NUMBERS: Final = (0, 1, 2, -1, 15, 17, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, -(2**63), 2**64 - 1)
_FLOATS: Final = (0.0, -0.0, float("nan"), float("inf"), 1e308, 5e-324)
_INTEGERS: Final = (int, bool)
_MOST_AT_ONCE: Final = 3
# A value of that many characters is a mistake of some other kind than its length.
_MAX_TEXT: Final = 4_096

# A value of a message, and how to put another one in its place.
Leaf = tuple[Any, Callable[[Any], None]]


def tampered(message: Message, random: Random, words: Sequence[str]) -> bytes:
    """Return a copy of `message`, serialised, with some values changed, doubled or gone."""
    copy = type(message)()
    copy.CopyFrom(message)
    for _ in range(random.randint(1, _MOST_AT_ONCE)):
        if random.random() < 0.2:
            _rearrange(copy, random)
            continue
        leaves = list(_leaves(copy))
        if not leaves:
            break
        value, put = random.choice(leaves)
        try:
            put(_other(value, random, words))
        except ValueError:
            continue  # It does not fit the field, so it could not be sent.
    return copy.SerializeToString()


def _other(value: Any, random: Random, words: Sequence[str]) -> Any:
    if isinstance(value, _INTEGERS):
        return random.choice((*_NUMBERS, value + 1, value - 1))
    if isinstance(value, float):
        return random.choice(_FLOATS)
    if isinstance(value, str):
        if random.random() < 0.5:
            return random.choice(words)
        raw = mutated(value.encode(), random, [word.encode() for word in words])
        return raw.decode("utf-8", "ignore")[:_MAX_TEXT]
    return mutated(value, random, [bytes(64), b"\xff" * 9])


def _rearrange(message: Message, random: Random) -> None:
    """Drop or double an entry of a repeated field or map, or drop a message."""
    filled = [(field, value) for field, value in message.ListFields() if field.message_type]
    if not filled:
        return
    field, value = random.choice(filled)
    if not field.is_repeated:
        if random.random() < 0.5:
            message.ClearField(field.name)
        else:
            _rearrange(value, random)
    elif field.message_type.GetOptions().map_entry:
        del value[random.choice(sorted(value))]
    else:
        position = random.randrange(len(value))
        if random.random() < 0.3:
            _rearrange(value[position], random)
        elif random.random() < 0.5:
            value.add().CopyFrom(value[position])
        else:
            del value[position]


def _leaves(message: Message) -> Iterator[Leaf]:
    for field, value in message.ListFields():
        if field.message_type is None:
            yield from _scalars(message, field, value)
        elif not field.is_repeated:
            yield from _leaves(value)
        elif field.message_type.GetOptions().map_entry:
            yield from _entries(field, value)
        else:
            for entry in value:
                yield from _leaves(entry)


def _scalars(message: Message, field: FieldDescriptor, value: Any) -> Iterator[Leaf]:
    if not field.is_repeated:
        yield value, lambda other: setattr(message, field.name, other)
        return
    for position, entry in enumerate(value):
        yield entry, lambda other, position=position: value.__setitem__(position, other)


def _entries(field: FieldDescriptor, value: Any) -> Iterator[Leaf]:
    """The keys of a map, and what is in its entries."""
    simple = field.message_type.fields_by_name["value"].message_type is None
    for key in list(value):
        yield key, lambda other, key=key: _rename(value, key, other, simple=simple)
        if simple:
            yield value[key], lambda other, key=key: value.__setitem__(key, other)
        else:
            yield from _leaves(value[key])


def _rename(entries: Any, key: Any, other: Any, *, simple: bool) -> None:
    if simple:
        entries[other] = entries.pop(key)
    elif other != key:
        entries[other].CopyFrom(entries[key])
        del entries[key]
