"""Updates between two frames, however many."""

from farm_readings import SECOND, node, snapshot
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.core.events import FarmEvent, Severity
from tui.inbox import MAX_EVENTS, MAX_SNAPSHOTS, Inbox
from tui.sources.source import EventsCame, LinkChanged, LinkState, Playhead, SnapshotCame
from tui.store import Store


def event(number: int) -> FarmEvent:
    return FarmEvent(
        number=number, unix_ns=number * SECOND, kind="k", severity=Severity.INFO, subject="s"
    )


def playhead(at_s: int) -> Playhead:
    return Playhead(
        at_unix_ns=at_s * SECOND, begins_unix_ns=0, ends_unix_ns=0, speed=1.0, paused=False
    )


def test_nothing_is_taken_twice() -> None:
    inbox = Inbox()
    came = SnapshotCame(snapshot=snapshot())
    inbox.put(came)
    assert inbox.take() == [came]
    assert inbox.take() == []


def test_of_links_the_latest_counts() -> None:
    inbox = Inbox()
    for state in (LinkState.CONNECTING, LinkState.UP, LinkState.DOWN):
        inbox.put(LinkChanged(state=state))
    assert inbox.take() == [LinkChanged(state=LinkState.DOWN)]


def test_snapshots_that_nobody_takes_do_not_pile_up() -> None:
    inbox = Inbox()
    for at_s in range(MAX_SNAPSHOTS + 10):
        inbox.put(SnapshotCame(snapshot=snapshot(at_s)))
    taken = inbox.take()
    assert len(taken) == MAX_SNAPSHOTS
    assert taken[-1] == SnapshotCame(snapshot=snapshot(MAX_SNAPSHOTS + 9))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, MAX_EVENTS), st.integers(0, 9)), max_size=6))
def test_every_event_is_told_or_counted_as_missed(came: list[tuple[int, int]]) -> None:
    inbox = Inbox()
    one = event(1)
    for count, missed in came:
        inbox.put(EventsCame(events=(one,) * count, missed=missed))
    told = [update for update in inbox.take() if isinstance(update, EventsCame)]
    assert sum(len(update.events) for update in told) <= MAX_EVENTS
    assert sum(len(update.events) + update.missed for update in told) == sum(map(sum, came))


def test_what_waits_of_a_recording_that_is_wound_back_is_dropped() -> None:
    inbox = Inbox()
    inbox.put(playhead(10))
    inbox.put(SnapshotCame(snapshot=snapshot(10)))
    inbox.put(EventsCame(events=(event(10),)))
    inbox.put(playhead(5))
    inbox.put(EventsCame(events=(event(5),)))
    assert inbox.take() == [playhead(5), EventsCame(events=(event(5),))]


def test_a_store_forgets_what_is_to_come_again() -> None:
    store = Store()
    store.take(SnapshotCame(snapshot=snapshot(10, nodes=(node(),))), 0.0)
    store.take(EventsCame(events=[event(number) for number in range(1, 11)]), 0.0)
    store.take(playhead(10), 0.0)
    store.take(playhead(5), 0.0)
    assert [event.number for event in store.events] == [1, 2, 3, 4, 5]
    store.take(SnapshotCame(snapshot=snapshot(5, nodes=(node(),))), 0.0)
    assert store.reading is not None
    assert list(store.reading.nodes["pi-01"].trends.unix_ns) == [snapshot(5).taken_unix_ns]
