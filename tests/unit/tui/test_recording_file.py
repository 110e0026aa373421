"""A recording is what a gateway told, or less of it: never anything else, whatever befell it."""

import gzip
import zlib
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.core.errors import ConfigurationError
from tui.sources.recording import (
    HEADER,
    FrameKind,
    Index,
    Read,
    check_header,
    frame,
    index_of,
    message_at,
)

MESSAGES = [
    (FrameKind.SNAPSHOT, 1_000, b"farm" * 9),
    (FrameKind.EVENTS, 1_000, b""),
    (FrameKind.SNAPSHOT, 2_000, bytes(range(256)) * 8),
    (FrameKind.SNAPSHOT, 3_000, b"farm\x01"),
    (FrameKind.EVENTS, 4_000, b"the last one"),
]
FRAMES = [frame(*message) for message in MESSAGES]
WHOLE = HEADER + b"".join(FRAMES)
BEGINS = list(accumulate(map(len, FRAMES), initial=len(HEADER)))


def reading(content: bytes) -> Read:
    return lambda size_bytes, offset: content[offset : offset + size_bytes]


def told(content: bytes) -> tuple[Index, list[tuple[FrameKind, int, bytes]]]:
    """Return what is found in a file, and what its sound frames hold."""
    index = index_of(reading(content), len(content))
    found = [
        (FrameKind(kind), unix_ns, message)
        for kind, unix_ns, offset in zip(index.kinds, index.unix_ns, index.offsets, strict=True)
        if (message := message_at(reading(content), offset)) is not None
    ]
    return index, found


def test_all_that_was_told_comes_back() -> None:
    check_header(reading(WHOLE))
    index, found = told(WHOLE)
    assert found == MESSAGES
    assert not index.damaged
    assert not index.cut


@given(size=st.integers(len(HEADER), len(WHOLE)))
@settings(deadline=None)
def test_a_cut_file_has_all_of_its_whole_frames(size: int) -> None:
    index, found = told(WHOLE[:size])
    assert found == MESSAGES[: sum(begin <= size for begin in BEGINS[1:])]
    assert index.cut == (size not in BEGINS)
    assert not index.damaged


@given(at=st.integers(len(HEADER), len(WHOLE) - 1), flipped=st.integers(1, 255))
@settings(deadline=None)
def test_a_flipped_byte_costs_one_frame(at: int, flipped: int) -> None:
    content = bytearray(WHOLE)
    content[at] ^= flipped
    index, found = told(bytes(content))
    hit = sum(begin <= at for begin in BEGINS) - 1
    assert found == MESSAGES[:hit] + MESSAGES[hit + 1 :]
    assert index.damaged + len(index.kinds) == len(MESSAGES)
    assert not index.cut


@given(
    at=st.integers(len(HEADER), len(WHOLE)),
    dropped=st.integers(0, 60),
    other=st.binary(max_size=60),
)
@settings(deadline=None)
def test_what_stands_in_place_of_frames_is_never_taken_for_one(
    at: int, dropped: int, other: bytes
) -> None:
    _, found = told(WHOLE[:at] + other + WHOLE[at + dropped :])
    left = iter(MESSAGES)
    assert all(message in left for message in found)


@given(content=st.binary(max_size=200))
@settings(deadline=None)
def test_whatever_a_file_holds_it_is_looked_through(content: bytes) -> None:
    told(HEADER + content)


def test_frames_of_kinds_to_come_are_left_out_and_not_damaged() -> None:
    later = frame(9, 1_500, b"?")  # type: ignore[arg-type]
    index, found = told(HEADER + FRAMES[0] + later + FRAMES[2])
    assert found == [MESSAGES[0], MESSAGES[2]]
    assert not index.damaged


def test_times_never_go_back() -> None:
    index, _ = told(HEADER + FRAMES[3] + FRAMES[0])
    assert list(index.unix_ns) == [3_000, 3_000]


def test_a_message_that_would_fill_the_memory_is_damaged() -> None:
    bomb = frame(FrameKind.SNAPSHOT, 1, bytes(65 << 20))
    assert told(HEADER + bomb)[1] == []


@pytest.mark.parametrize("packed", [b"", b"farm", zlib.compress(bytes(999))[:-1]])
def test_what_is_no_whole_message_for_all_its_checksums_is_damaged(
    monkeypatch: pytest.MonkeyPatch, packed: bytes
) -> None:
    monkeypatch.setattr(zlib, "compress", lambda _message, _level: packed)
    broken = frame(FrameKind.SNAPSHOT, 1, b"")
    assert told(HEADER + broken + FRAMES[-1])[1] == [MESSAGES[-1]]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no recording of farm top"),
        (b"seq,at\n", "no recording of farm top"),
        (b"farm top recording x\n", "no recording of farm top"),
        (gzip.compress(WHOLE), "no recording of farm top"),
        (b"farm top recording 2\n", "version 2, and this farm reads version 1"),
    ],
)
def test_another_file_is_refused_in_words(content: bytes, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        check_header(reading(content))
