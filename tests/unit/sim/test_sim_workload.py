"""Workloads: as many requests as asked for, at the rate asked for, in the mix asked for."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.core.models import ModelKey
from farm.sim.setup import Arrival, RequestPlan, Workload
from farm.sim.timeline import Timeline
from farm.sim.workload import ClosedPlan, Mix, OpenPlan, Until, bursts, constant, diurnal

MEAN = 50.0


def plan(client: str = "") -> RequestPlan:
    return RequestPlan(model=ModelKey("net", 1), inputs=(), rows=1, client=client)


def arrivals(workload: Workload) -> Iterator[Arrival]:
    yield from workload.first()
    while (arrival := workload.after_arrival()) is not None:
        yield arrival


def times(name: str, *, until: Until, seed: int = 1) -> list[float]:
    rate, peak = {
        "poisson": constant(MEAN),
        "bursts": bursts(MEAN, on_s=1.0, off_s=3.0, peak=3.0),
        "diurnal": diurnal(MEAN, period_s=20.0, swing=0.9),
    }[name]
    made = OpenPlan(rate=rate, peak=peak, mix=Mix([plan()], [1.0]), until=until)
    return [arrival.at for arrival in arrivals(made.begin(seed))]


@pytest.mark.parametrize("name", ["poisson", "bursts", "diurnal"])
def test_the_mean_rate_is_kept(name: str) -> None:
    at = times(name, until=Until(at=200.0))
    assert len(at) / 200.0 == pytest.approx(MEAN, rel=0.05)
    assert all(before <= after for before, after in pairwise(at))
    assert at[-1] <= 200.0


def test_poisson_gaps_vary_as_much_as_they_last() -> None:
    gaps = [after - before for before, after in pairwise(times("poisson", until=Until(20_000)))]
    mean = sum(gaps) / len(gaps)
    variance = sum((gap - mean) ** 2 for gap in gaps) / len(gaps)
    assert variance**0.5 == pytest.approx(mean, rel=0.05)


def test_bursts_come_while_they_are_on() -> None:
    at = times("bursts", until=Until(at=200.0))
    on = sum(moment % 4.0 < 1.0 for moment in at)
    assert on / len(at) == pytest.approx(0.75, abs=0.03)


def test_a_day_has_a_busy_and_a_quiet_half() -> None:
    at = times("diurnal", until=Until(at=200.0))
    busy = sum(moment % 20.0 < 10.0 for moment in at)
    assert busy / len(at) == pytest.approx(0.5 + 0.9 / 3.14159, abs=0.03)


@pytest.mark.parametrize("name", ["poisson", "bursts", "diurnal"])
def test_it_ends_after_so_many(name: str) -> None:
    assert len(times(name, until=Until(17))) == 17


def test_seeds_differ() -> None:
    until = Until(10)
    assert times("poisson", until=until) == times("poisson", until=until)
    assert times("poisson", until=until) != times("poisson", until=until, seed=2)


def test_requests_are_drawn_by_their_shares() -> None:
    rate, peak = constant(MEAN)
    mix = Mix([plan("a"), plan("b"), plan("c")], [1.0, 3.0, 6.0])
    made = OpenPlan(rate=rate, peak=peak, mix=mix, until=Until(20_000)).begin(1)
    drawn = Counter(arrival.request.client for arrival in arrivals(made))
    assert drawn["a"] == pytest.approx(2_000, rel=0.1)
    assert drawn["b"] == pytest.approx(6_000, rel=0.1)


def test_callers_wait_for_their_answers() -> None:
    made = ClosedPlan(callers=3, think_s=0.0, mix=Mix([plan()], [1.0]), until=Until(5)).begin(1)
    assert [arrival.at for arrival in arrivals(made)] == [0.0, 0.0, 0.0]
    after = made.after_reply(2.0, 0.0)
    refused = made.after_reply(3.0, 0.5)
    assert after is not None
    assert refused is not None
    assert (after.at, refused.at) == (2.0, 3.5)
    assert made.after_reply(4.0, 0.0) is None


def test_callers_think_as_long_as_they_should() -> None:
    made = ClosedPlan(callers=1, think_s=0.5, mix=Mix([plan()], [1.0]), until=Until(5_000)).begin(1)
    thought = [arrival.at for arrival in iter(lambda: made.after_reply(0.0, 0.0), None)]
    assert sum(thought) / len(thought) == pytest.approx(0.5, rel=0.05)


@given(st.lists(st.integers(0, 5), max_size=30))
def test_time_passes_in_order_and_instants_in_the_order_of_planning(planned: list[int]) -> None:
    timeline = Timeline()
    done: list[tuple[float, int]] = []
    for number, at in enumerate(planned):
        timeline.at(float(at), lambda number: done.append((timeline.now, number)), number)
    steps = 0
    while timeline.step():
        steps += 1
    assert done == sorted((float(at), number) for number, at in enumerate(planned))
    assert steps == len(set(planned))
