"""What a gateway remembers of the past."""

from dataclasses import replace
from itertools import pairwise

import pytest
from farm_readings import BEGINS, SECOND, model, node, snapshot
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.core.clock import SystemClock
from farm.core.nodes import NodeState
from farm.core.snapshots import FarmSnapshot, NodeWork
from farm.engine import history as module
from farm.engine.history import FARM, History


def busy(second: float, *, per_s: int = 10) -> FarmSnapshot:
    """A farm of one node that answers so many a second, each in a batch of 0.1 s."""
    count = round(second * per_s)
    work = NodeWork(answers_total=count, batches_total=count, compute_s=count * 0.1)
    return snapshot(second, nodes=(node(work=work),), models=(model(latencies={3: count}),))


class HandClock(SystemClock):
    """A clock that tests turn."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


def take(history: History, clock: HandClock, seconds: int, *, set_by_s: float = 0.0) -> None:
    """Take a snapshot a second of a machine whose clock was set by so much."""
    for _ in range(seconds):
        farm = busy(clock.now)
        taken_unix_ns = farm.taken_unix_ns + round(set_by_s * SECOND)
        history.take(replace(farm, taken_unix_ns=taken_unix_ns))
        clock.now += 1


def remembered(seconds: int) -> History:
    clock = HandClock()
    history = History(clock)
    take(history, clock, seconds + 1)
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
    clock = HandClock()
    history = History(clock)
    for clock.now in range(4):
        history.take(snapshot(clock.now, nodes=(node(state=NodeState.LOST),)))
    points = history.points("pi-01")
    assert points
    assert {(p.cpu_fraction, p.watts, p.requests_per_s) for p in points} == {(None, None, 0.0)}


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 12), st.floats(-1e6, 1e6)), max_size=4))
def test_whatever_the_clock_is_set_to_nothing_is_lost_or_out_of_order(
    stretches: list[tuple[int, float]],
) -> None:
    clock = HandClock()
    history = History(clock)
    for seconds, set_by_s in [(9, 0.0), *stretches]:
        take(history, clock, seconds, set_by_s=set_by_s)
    points = history.points("pi-01")
    assert points is not None
    assert len(points) == int(clock.now - 1) // 2
    moments = [point.unix_ns for point in points]
    assert {after - before for before, after in pairwise(moments)} == {2 * SECOND}
    for point in points:
        assert point.requests_per_s == pytest.approx(10)


def test_points_are_dated_by_the_clock_that_is_right_now() -> None:
    clock = HandClock()
    history = History(clock)
    take(history, clock, 9, set_by_s=-1e9)
    take(history, clock, 1, set_by_s=0.3)
    take(history, clock, 1, set_by_s=0.6)
    points = history.points("pi-01")
    assert points is not None
    assert points[-1].unix_ns == BEGINS + round(10.3 * SECOND)
    late = history.points("pi-01", since_unix_ns=points[-1].unix_ns)
    assert late == points[-1:]


def test_a_node_that_the_farm_does_not_have() -> None:
    assert remembered(4).points("pi-99") is None
