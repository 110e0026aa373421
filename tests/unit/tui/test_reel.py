"""Whatever befell a recording and wherever it is wound: only what was told is told again."""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from recorded import BEGINS, SECOND, events_message, recorded, snapshot_message

from farm.client.operations import of_event
from farm.client.snapshots import of_snapshot
from tui.sources.recording import HEADER, index_of
from tui.sources.reel import Reel
from tui.sources.source import EventsCame, Jumped, SnapshotCame

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
    jumped, *told = reel.wound(BEGINS + 5 * SECOND)
    assert isinstance(jumped, Jumped)
    assert [each.events[0] for each in told if isinstance(each, EventsCame)] == EVENTS[:6]
    assert [each.snapshot for each in told if isinstance(each, SnapshotCame)] == SNAPSHOTS[:6]
    assert len(list(reel.until(BEGINS + 6 * SECOND))) == 2


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
