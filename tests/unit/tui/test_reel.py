"""Whatever befell a recording and wherever it is wound: only what was told is told again."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recorded import BEGINS, SECOND, events_message, recorded, snapshot_message
from seen_farm import seen, state_of

from farm.client.operations import of_event
from farm.client.snapshots import of_snapshot
from tui.sources.recording import HEADER, index_of
from tui.sources.reel import Reel
from tui.sources.source import EventsCame, Jumped, SnapshotCame, Update
from tui.store import Store

SECONDS = 8
SNAPSHOTS = [of_snapshot(snapshot_message(at_s)) for at_s in range(SECONDS)]
EVENTS = [of_event(events_message(at_s).events[0]) for at_s in range(SECONDS)]


@cache
def whole() -> bytes:
    with TemporaryDirectory() as folder:
        return recorded(Path(folder) / "a", range(SECONDS)).read_bytes()


def reel_of(content: bytes) -> Reel:
    def read(size_bytes: int, offset: int) -> bytes:
        return content[offset : offset + size_bytes]

    return Reel(read, index_of(read, len(content)))


def test_it_tells_events_in_order_and_of_the_snapshots_the_last() -> None:
    reel = reel_of(whole())
    told = list(reel.until(BEGINS + 3 * SECOND))
    assert [each.events[0] for each in told if isinstance(each, EventsCame)] == EVENTS[:4]
    assert [each.snapshot for each in told if isinstance(each, SnapshotCame)] == SNAPSHOTS[3:4]
    assert list(reel.until(BEGINS + 3 * SECOND)) == []


def test_wound_it_tells_all_that_leads_there() -> None:
    reel = reel_of(whole())
    jumped, events, *told = reel.wound(BEGINS + 5 * SECOND)
    assert isinstance(jumped, Jumped)
    assert isinstance(events, EventsCame)
    assert list(events.events) == EVENTS[:6]
    assert [each.snapshot for each in told if isinstance(each, SnapshotCame)] == SNAPSHOTS[:6]
    assert len(list(reel.until(BEGINS + 6 * SECOND))) == 2


@cache
def long_one() -> bytes:
    with TemporaryDirectory() as folder:
        gaps = [*range(30), 45, *range(47, 60)]
        return recorded(Path(folder) / "a", gaps).read_bytes()


@given(moves=st.lists(st.tuples(st.booleans(), st.integers(0, 620)), min_size=1, max_size=8))
@settings(deadline=None)
def test_wherever_it_is_wound_it_is_as_if_played_to_there(moves: list[tuple[bool, int]]) -> None:
    def played(reel: Reel, begins: int, ends: int) -> Iterator[Update]:
        """Yield what is told as it is played at the speed of life."""
        for at in range(begins, ends + 1):
            yield from reel.until(BEGINS + at * SECOND // 10)

    reel, store = reel_of(long_one()), Store()
    at = 0
    for wind, tenths in [(False, 0), *moves]:
        begins, at = at, tenths if wind else at + tenths // 10
        moment = BEGINS + at * SECOND // 10
        for update in reel.wound(moment) if wind else played(reel, begins, at):
            store.take(update, 0.0)
    assert state_of(store) == state_of(seen(played(reel_of(long_one()), 0, at)))


def test_no_more_events_are_told_than_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.sources.reel.MAX_EVENTS", 3)
    _, events, *_ = reel_of(whole()).wound(BEGINS + 5 * SECOND)
    assert isinstance(events, EventsCame)
    assert list(events.events) == EVENTS[3:6]


def test_cut_at_any_byte_of_its_last_seconds_it_plays_what_is_whole() -> None:
    content = whole()
    frames = list(index_of(lambda size, at: content[at : at + size], len(content)).offsets)
    ends = [*frames[1:], len(content)]
    for size in range(frames[-4], len(content)):
        reel = reel_of(content[:size])
        told = list(reel.until(BEGINS + SECONDS * SECOND))
        events = sum(isinstance(each, EventsCame) for each in told)
        snapshots = [each.snapshot for each in told if isinstance(each, SnapshotCame)]
        # Of each second first the event is recorded, then the snapshot.
        kept = sum(end <= size for end in ends)
        assert events == (kept + 1) // 2
        assert snapshots == [SNAPSHOTS[kept // 2 - 1]]
        cut = size not in ends
        assert reel.flaws == "; it was cut off in the midst of its last frame" * cut


@given(
    flips=st.lists(st.tuples(st.integers(len(HEADER), 10_000), st.integers(1, 255)), max_size=3),
    size=st.integers(len(HEADER), 10_000),
    moves=st.lists(st.tuples(st.booleans(), st.integers(-2, SECONDS + 2)), max_size=6),
)
@settings(deadline=None)
def test_no_damage_makes_it_tell_anything_else(
    flips: list[tuple[int, int]], size: int, moves: list[tuple[bool, int]]
) -> None:
    content = bytearray(whole())
    for at, flipped in flips:
        if at < len(content):
            content[at] ^= flipped
    reel = reel_of(bytes(content[:size]))
    for wind, at_s in moves:
        at = BEGINS + at_s * SECOND
        for update in reel.wound(at) if wind else reel.until(at):
            if isinstance(update, SnapshotCame):
                assert update.snapshot in SNAPSHOTS
                assert update.snapshot.taken_unix_ns <= at
            elif isinstance(update, EventsCame):
                assert all(event in EVENTS and event.unix_ns <= at for event in update.events)
    assert isinstance(reel.flaws, str)
