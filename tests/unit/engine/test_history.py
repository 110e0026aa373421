"""What a gateway remembers of the past."""

import pytest
from farm_readings import BEGINS, SECOND, model, node, snapshot

from farm.core.nodes import NodeState
from farm.core.snapshots import FarmSnapshot, NodeWork
from farm.engine import history as module
from farm.engine.history import FARM, History


def busy(second: float, *, per_s: int = 10) -> FarmSnapshot:
    """A farm of one node that answers so many a second, each in a batch of 0.1 s."""
    count = round(second * per_s)
    work = NodeWork(answers_total=count, batches_total=count, compute_s=count * 0.1)
    return snapshot(second, nodes=(node(work=work),), models=(model(latencies={3: count}),))


def remembered(seconds: int) -> History:
    history = History()
    for second in range(seconds + 1):
        history.take(busy(second))
    return history


def test_points_are_means_and_rates_of_their_time() -> None:
    points = remembered(20).points("pi-01")
    assert points is not None
    assert [(point.unix_ns - BEGINS) // SECOND for point in points] == list(range(2, 21, 2))
    for point in points:
        assert point.requests_per_s == pytest.approx(10)
        assert point.latency_s == pytest.approx(0.1)
        assert point.cpu_fraction == pytest.approx(0.25)
        assert point.temperature_c == pytest.approx(55)
        assert point.watts == pytest.approx(4.2)


def test_the_whole_farm() -> None:
    points = remembered(4).points(FARM)
    assert points is not None
    assert points[-1].requests_per_s == pytest.approx(10)
    assert points[-1].watts == pytest.approx(4.2)


def test_what_is_fine_no_more_is_coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIERS", ((2, 5), (10, 4)))
    points = remembered(100).points("pi-01")
    assert points is not None
    seconds = [(point.unix_ns - BEGINS) // SECOND for point in points]
    assert seconds == [70, 80, 90, 92, 94, 96, 98, 100]
    since = remembered(100).points("pi-01", since_unix_ns=BEGINS + 95 * SECOND)
    assert since is not None
    assert [(point.unix_ns - BEGINS) // SECOND for point in since] == [96, 98, 100]


def test_a_lost_node_says_nothing_of_itself() -> None:
    history = History()
    for second in range(4):
        history.take(snapshot(second, nodes=(node(state=NodeState.LOST),)))
    points = history.points("pi-01")
    assert points
    assert {(p.cpu_fraction, p.watts, p.requests_per_s) for p in points} == {(None, None, 0.0)}


def test_a_clock_that_is_set_back_ends_nothing() -> None:
    history = remembered(10)
    for second in range(5):
        history.take(busy(second - 3600))
    points = history.points("pi-01")
    assert points is not None
    assert all((point.requests_per_s or 0.0) >= 0 for point in points)


def test_a_node_that_the_farm_does_not_have() -> None:
    assert remembered(4).points("pi-99") is None
