"""Updates between two frames, however many."""

from farm_readings import SECOND, snapshot
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.core.events import FarmEvent, Severity
from tui.inbox import MAX_SNAPSHOTS, Inbox
from tui.sources.source import EventsCame, Jumped, LinkChanged, LinkState, SnapshotCame
from tui.store import MAX_EVENTS


def event(number: int) -> FarmEvent:
    return FarmEvent(
        number=number, unix_ns=number * SECOND, kind="k", severity=Severity.INFO, subject="s"
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


def test_what_waits_of_another_time_of_a_recording_is_dropped() -> None:
    inbox = Inbox()
    inbox.put(LinkChanged(state=LinkState.UP))
    inbox.put(SnapshotCame(snapshot=snapshot(10)))
    inbox.put(EventsCame(events=(event(10),)))
    inbox.put(Jumped())
    inbox.put(EventsCame(events=(event(5),)))
    assert inbox.take() == [
        LinkChanged(state=LinkState.UP), Jumped(), EventsCame(events=(event(5),))
    ]  # fmt: skip
