"""The file that keeps what a gateway told: how it is written down, and what is left of one.

The file is one line, `farm top recording 1` with a line's end, and then frames. A frame is a head
and a message of `protos/farm_admin.proto`, compressed by zlib. A head is, little-endian:

    4 bytes  mark, 66 61 72 6d
    1 byte   kind of the message: 1 FarmSnapshot, 2 WatchEventsResponse
    8 bytes  when it was told, nanoseconds since the Unix epoch
    4 bytes  length of the compressed message
    4 bytes  CRC-32 of the compressed message
    4 bytes  CRC-32 of the 21 bytes before

Its own checksum makes a head trustworthy without the message: the frames are found by going from
length to length, and behind a head that is damaged by looking for the next one that is not.
"""

import struct
import zlib
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, TypeAlias

from farm.core.errors import ConfigurationError

# Bytes of a file: how many, from where on. Fewer come at its end.
Read: TypeAlias = Callable[[int, int], bytes]

_NAME: Final = b"farm top recording "
_VERSION: Final = 1
HEADER: Final = b"%s%d\n" % (_NAME, _VERSION)

_MARK: Final = b"farm"
_HEAD: Final = struct.Struct("<4sBqII")
_CHECK: Final = struct.Struct("<I")
HEAD_BYTES: Final = _HEAD.size + _CHECK.size

# No message of a farm is larger, packed or not.
_MOST_BYTES: Final = 64 << 20
# What is read at once where the next head is looked for.
_PIECE_BYTES: Final = 1 << 20
# Level 6 takes twice as long, and saves some hundredths of the size.
_LEVEL: Final = 1


class FrameKind(IntEnum):
    """What a frame holds. Frames of other kinds are left out: a later version may write them."""

    SNAPSHOT = 1
    EVENTS = 2


def frame(kind: FrameKind, unix_ns: int, message: bytes) -> bytes:
    """Return a frame."""
    packed = zlib.compress(message, _LEVEL)
    head = _HEAD.pack(_MARK, kind, unix_ns, len(packed), zlib.crc32(packed))
    return head + _CHECK.pack(zlib.crc32(head)) + packed


@dataclass(slots=True, kw_only=True)
class Index:
    """Where the whole frames of a recording are, in the order of their times.

    `damaged` counts places where frames cannot be found, and `cut` says that the last frame
    is not all there.
    """

    unix_ns: "array[int]" = field(default_factory=lambda: array("q"))
    offsets: "array[int]" = field(default_factory=lambda: array("q"))
    kinds: bytearray = field(default_factory=bytearray)
    damaged: int = 0
    cut: bool = False


def check_header(read: Read) -> None:
    """Check that a file is a recording that can be read here.

    Raises:
        ConfigurationError: it is another file, or of another version.
    """
    line = read(len(HEADER) + 16, 0).partition(b"\n")[0] + b"\n"
    if line == HEADER:
        return
    version = line.removeprefix(_NAME).strip()
    if line.startswith(_NAME) and version.isdigit():
        raise ConfigurationError(
            f"it is a recording of version {version.decode()}, and this farm reads version"
            f" {_VERSION}: replay it with the farm that recorded it"
        )
    raise ConfigurationError("it is no recording of farm top: those are made by --record")


def index_of(read: Read, size: int, stopped: Callable[[], bool] = lambda: False) -> Index:
    """Return where the frames are in a recording of `size` bytes; as far as it got if stopped."""
    index = Index()
    offset, latest = len(HEADER), 0
    while offset < size and not stopped():
        head = _head(read(HEAD_BYTES, offset))
        if head is None:
            found = _next_head(read, offset + 1, stopped)
            # What is too short for a head was one whose writer ended in the midst of it.
            index.cut = found is None and size - offset < HEAD_BYTES
            index.damaged += not index.cut
            if found is None:
                break
            offset = found
            continue
        kind, unix_ns, length = head
        if offset + HEAD_BYTES + length > size:
            index.cut = True
            break
        latest = max(latest, unix_ns)
        if kind in FrameKind.__members__.values():
            index.unix_ns.append(latest)
            index.offsets.append(offset)
            index.kinds.append(kind)
        offset += HEAD_BYTES + length
    return index


def message_at(read: Read, offset: int) -> bytes | None:
    """Return the message of the frame that begins there; None if it is damaged."""
    begin = read(HEAD_BYTES, offset)
    head = _head(begin)
    if head is None:
        return None
    packed = read(head[2], offset + HEAD_BYTES)
    if zlib.crc32(packed) != _HEAD.unpack_from(begin)[4]:
        return None
    unpacking = zlib.decompressobj()
    try:
        message = unpacking.decompress(packed, _MOST_BYTES)
    except zlib.error:
        return None
    return message if unpacking.eof else None


def _head(begin: bytes, offset: int = 0) -> tuple[int, int, int] | None:
    """Return kind, time and length of a frame, if there is a sound head."""
    if len(begin) - offset < HEAD_BYTES:
        return None
    checked = _CHECK.unpack_from(begin, offset + _HEAD.size)[0]
    if zlib.crc32(begin[offset : offset + _HEAD.size]) != checked:
        return None
    mark, kind, unix_ns, length, _ = _HEAD.unpack_from(begin, offset)
    return (kind, unix_ns, length) if mark == _MARK and length <= _MOST_BYTES else None


def _next_head(read: Read, offset: int, stopped: Callable[[], bool]) -> int | None:
    """Return where the next sound head begins."""
    while not stopped():
        piece = read(_PIECE_BYTES, offset)
        at = piece.find(_MARK)
        while at >= 0:
            if _head(piece, at) is not None:
                return offset + at
            at = piece.find(_MARK, at + 1)
        if len(piece) < _PIECE_BYTES:
            return None
        # A head may lie across the end of the piece.
        offset += len(piece) - HEAD_BYTES + 1
    return None
