"""Bytes with something wrong: what a broken client, a bad disk or malice would send."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Final

# Larger ones say nothing more and take longer.
MAX_BYTES: Final = 1 << 16

# As a length or a size, each of these is beyond what follows it.
_VARINTS: Final = (
    b"\x00",
    b"\x7f",
    b"\xff\xff\xff\xff\x0f",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\x80" * 11,
)
# Most have one fault, for a second one may hide what the first would have shown.
_AT_ONCE: Final = (1, 1, 1, 2, 4)


def mutated(raw: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """Return `raw` with a few things wrong; parts may come from `others`."""
    for _ in range(random.choice(_AT_ONCE)):
        raw = random.choice(_MUTATIONS)(raw, random, others)
    return raw[:MAX_BYTES]


def _place(raw: bytes, random: Random) -> tuple[int, int]:
    start = random.randint(0, len(raw))
    return start, min(len(raw), start + random.randint(0, 16))


def _flip(raw: bytes, random: Random, _others: Sequence[bytes]) -> bytes:
    if not raw:
        return raw
    position = random.randrange(len(raw))
    flipped = raw[position] ^ (1 << random.randrange(8))
    return raw[:position] + bytes([flipped]) + raw[position + 1 :]


def _replace(raw: bytes, random: Random, _others: Sequence[bytes]) -> bytes:
    start, end = _place(raw, random)
    return raw[:start] + random.randbytes(end - start) + raw[end:]


def _insert(raw: bytes, random: Random, _others: Sequence[bytes]) -> bytes:
    start, _ = _place(raw, random)
    return raw[:start] + random.randbytes(random.randint(1, 16)) + raw[start:]


def _remove(raw: bytes, random: Random, _others: Sequence[bytes]) -> bytes:
    start, end = _place(raw, random)
    return raw[:start] + raw[end:]


def _truncate(raw: bytes, random: Random, _others: Sequence[bytes]) -> bytes:
    return raw[: random.randint(0, len(raw))]


def _repeat(raw: bytes, random: Random, _others: Sequence[bytes]) -> bytes:
    start, end = _place(raw, random)
    return raw[:end] + raw[start:end] * random.randint(1, 50) + raw[end:]


def _varint(raw: bytes, random: Random, _others: Sequence[bytes]) -> bytes:
    start, _ = _place(raw, random)
    return raw[:start] + random.choice(_VARINTS) + raw[start + 1 :]


def _splice(raw: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    other = random.choice(others)
    return raw[: random.randint(0, len(raw))] + other[random.randint(0, len(other)) :]


def _twice(raw: bytes, _random: Random, others: Sequence[bytes]) -> bytes:
    """Two messages in one: protobuf merges them."""
    return raw + others[0]


_MUTATIONS: Final[tuple[Callable[[bytes, Random, Sequence[bytes]], bytes], ...]] = (
    _flip,
    _replace,
    _insert,
    _remove,
    _truncate,
    _repeat,
    _varint,
    _splice,
    _twice,
)
