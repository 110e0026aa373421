"""How batches travel over a connection of their own: numbered frames of parts.

A frame is its number (8 bytes), how many parts it has (4), the length of each (8), and the
parts; integers are little-endian. The reply to a frame carries its number.

Before the first frame each side proves that it was told the connection's secret: the gateway
sends `Endpoint.of_gateway`, the actor answers with `of_actor`. Frames hold pickles, which
run code when they are read, so nothing may be read of a peer before.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

HEAD = struct.Struct("<QI")
LENGTH_BYTES = 8

# Bytes of each half of the secret.
PROOF_BYTES = 32


class Endpoint(NamedTuple):
    """Where an actor takes connections; the proofs travel through Ray, as a plain tuple."""

    host: str
    port: int
    of_gateway: bytes
    of_actor: bytes


class Frame(NamedTuple):
    """A call's head and its tensors, or the one part of a reply."""

    number: int
    parts: tuple[bytes, ...]


def encode_head(number: int, parts: Sequence[bytes]) -> bytes:
    """Return what goes before the parts of a frame."""
    return HEAD.pack(number, len(parts)) + struct.pack(f"<{len(parts)}Q", *map(len, parts))


def decode_lengths(table: bytes | bytearray) -> tuple[int, ...]:
    """Return the length of each part, of a table of `LENGTH_BYTES` each."""
    return struct.unpack(f"<{len(table) // LENGTH_BYTES}Q", table)


class FrameDecoder:
    """Cuts a stream of bytes into frames, in whatever pieces it comes."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        # Fewer bytes than this hold no whole frame.
        self._needed = HEAD.size

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that `data` completes."""
        self._buffer += data
        while len(self._buffer) >= self._needed:
            number, count = HEAD.unpack_from(self._buffer)
            start = HEAD.size + count * LENGTH_BYTES
            self._needed = start
            if len(self._buffer) < start:
                return
            lengths = decode_lengths(self._buffer[HEAD.size : start])
            self._needed = start + sum(lengths)
            if len(self._buffer) < self._needed:
                return
            yield Frame(number, tuple(self._parts(start, lengths)))
            del self._buffer[: self._needed]
            self._needed = HEAD.size

    def _parts(self, start: int, lengths: Sequence[int]) -> Iterator[bytes]:
        with memoryview(self._buffer) as view:
            for length in lengths:
                yield bytes(view[start : start + length])
                start += length
