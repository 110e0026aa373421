"""What the screen keeps of a farm from snapshot to snapshot, and what it forgets."""

import gc
import weakref

from farm_readings import node, snapshot

from tui.readings.alerts import alerts
from tui.readings.reading import Reader
from tui.sources.source import LinkChanged, LinkState, Playhead, SnapshotCame
from tui.store import STALE_S, Store


def test_nothing_is_kept_of_nodes_that_have_left() -> None:
    """As many come and go as in years."""
    reader = Reader()
    kept = []
    for at_s in range(1_000):
        nodes = tuple(node(f"pi-{at_s + number}", meter_fault="silent") for number in range(3))
        reading = reader.read(snapshot(at_s, nodes=nodes))
        assert list(reading.nodes) == [each.node_id for each in nodes]
        assert {alert.subject for alert in alerts(reading)} == {"3 nodes"}
        kept.append(weakref.ref(reading.nodes[f"pi-{at_s}"].trends))
    gc.collect()
    assert sum(ref() is not None for ref in kept) == 1


def test_a_node_keeps_its_trends_as_long_as_it_is_there() -> None:
    reader = Reader()
    first = reader.read(snapshot(0, nodes=(node("a"), node("b"))))
    second = reader.read(snapshot(1, nodes=(node("a"),)))
    third = reader.read(snapshot(2, nodes=(node("a"), node("b"))))
    assert second.nodes["a"].trends is first.nodes["a"].trends
    assert len(third.nodes["a"].trends.unix_ns) == 3
    assert len(third.nodes["b"].trends.unix_ns) == 1


def test_what_is_not_of_now_is_stale() -> None:
    store = Store()
    assert not store.stale(100.0)
    store.take(LinkChanged(state=LinkState.UP), 0.0)
    store.take(SnapshotCame(snapshot=snapshot()), 0.0)
    assert not store.stale(STALE_S)
    assert store.stale(STALE_S + 0.1)
    store.take(LinkChanged(state=LinkState.DOWN), 0.0)
    assert store.stale(0.1)


def test_while_a_recording_seeks_what_it_showed_before_is_stale() -> None:
    store = Store()
    playhead = Playhead(at_unix_ns=0, begins_unix_ns=0, ends_unix_ns=None, speed=1.0, paused=True)
    for update in (playhead, SnapshotCame(snapshot=snapshot()), LinkChanged(state=LinkState.UP)):
        store.take(update, 0.0)
    assert not store.stale(1_000.0)
    store.take(LinkChanged(state=LinkState.CONNECTING, detail="simulating what leads there"), 1.0)
    assert store.stale(1.0)
