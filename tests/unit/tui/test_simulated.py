"""A simulated farm: wherever it is wound, it is as if it had been played to there."""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from seen_farm import seen, state_of

from farm.core.events import EventKind
from farm.sim.from_scenario import read_scenario, setup_of
from tui.sources.simulated import SimulatedFarm
from tui.sources.source import Update
from tui.store import Store

SECOND = 1_000_000_000
BEGAN = 1_750_000_000 * SECOND
DURATION_S = 25
# More than any of it takes.
PATIENCE_S = 60.0
SCENARIO = {
    "name": "a little farm",
    "duration_s": DURATION_S,
    "nodes": [{"board": "rpi5", "count": 2, "slots": 2}],
    "models": {"mobilenetv2": {"max_batch_size": 4}},
    "arrivals": {"kind": "poisson", "rate_per_s": 5},
    "mix": [{"model": "mobilenetv2"}],
    "faults": [{"kind": "die", "node": "rpi5-2", "at_s": 3.5, "for_s": 4}],
}


def simulated() -> SimulatedFarm:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "little.yaml"
        path.write_text(yaml.safe_dump(SCENARIO))
        scenario = read_scenario(path)
        return SimulatedFarm(setup_of(scenario, file=path), scenario, BEGAN)


@cache
def played() -> list[object]:
    """Return what is seen at each second where nothing is wound."""
    farm, store = simulated(), Store()
    states = []
    for at_s in range(DURATION_S + 1):
        take(store, farm.until(BEGAN + at_s * SECOND, PATIENCE_S))
        states.append(state_of(store))
    return states


def take(store: Store, updates: Iterable[Update]) -> None:
    for update in updates:
        store.take(update, 0.0)


@given(moves=st.lists(st.tuples(st.booleans(), st.integers(0, DURATION_S)), min_size=1, max_size=5))
@example(moves=[(True, 20), (True, 20), (True, 4), (False, 9)])
@settings(deadline=None, max_examples=15)
def test_wound_it_is_as_if_played_to_there(moves: list[tuple[bool, int]]) -> None:
    farm, store, at_s = simulated(), Store(), 0
    for wind, to_s in moves:
        if wind:
            at_s = to_s
            take(store, farm.wind(BEGAN + at_s * SECOND, PATIENCE_S))
        else:
            at_s = min(at_s + 1, DURATION_S)
            take(store, farm.until(BEGAN + at_s * SECOND, PATIENCE_S))
        assert state_of(store) == played()[at_s]


def test_what_happened_on_the_way_is_known() -> None:
    store = seen(simulated().wind(BEGAN + 20 * SECOND, PATIENCE_S))
    assert EventKind.NODE_LOST in [event.kind for event in store.events]


def test_at_its_end_it_stays_as_it_ended() -> None:
    farm, store = simulated(), Store()
    for beyond_s in (1_000, 2_000):
        take(store, farm.wind(BEGAN + beyond_s * SECOND, PATIENCE_S))
        assert farm.ended
        assert store.reading is not None
        assert store.reading.snapshot.taken_unix_ns == farm.at_unix_ns


def test_it_tells_nothing_before_it_is_there() -> None:
    farm = simulated()
    goal_ns = BEGAN + 20 * SECOND
    told = list(farm.wind(goal_ns, 0.0))
    assert not told
    assert not farm.reaches(goal_ns)
    while not told:
        told = list(farm.wind(goal_ns, 0.001))
    assert farm.at_unix_ns == goal_ns


def test_more_events_than_are_kept_are_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.sources.simulated.MAX_EVENTS", 2)
    store = seen(simulated().until(BEGAN + 20 * SECOND, PATIENCE_S))
    assert len(store.events) == 2
    assert store.events[0].number == store.missed_events + 1
