"""A scenario as a source: played, wound on and back, always the same."""

from pathlib import Path

import pytest
import yaml
from followed_source import followed, wind

from farm.core.errors import ConfigurationError
from farm.core.events import EventKind
from farm.core.snapshots import FarmSnapshot
from tui.sources.simulator import Simulator
from tui.sources.source import Player

SECOND = 1_000_000_000
SCENARIO = {
    "name": "a little farm",
    "duration_s": 20,
    "nodes": [{"board": "rpi5", "count": 2, "slots": 2}],
    "models": {"mobilenetv2": {"max_batch_size": 4}},
    "arrivals": {"kind": "poisson", "rate_per_s": 20},
    "mix": [{"model": "mobilenetv2"}],
    "faults": [{"kind": "die", "node": "rpi5-2", "at_s": 6.5, "for_s": 4}],
}


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "little.yaml"
    path.write_text(yaml.safe_dump(SCENARIO))
    return path


def test_it_plays_to_its_end_and_tells_what_happens(scenario: Path) -> None:
    simulator = Simulator(scenario, speed=64)
    assert isinstance(simulator, Player)
    assert simulator.title == "simulation little.yaml"
    with followed(simulator) as watched:
        watched.until(lambda: watched.ended)
        reading = watched.store.reading
        assert reading is not None
        assert reading.snapshot.farm_name == "a little farm"
        assert reading.snapshot.models[0].requests_total == pytest.approx(400, abs=100)
        told = [(event.kind, event.subject) for event in watched.store.events]
        lost = told.index((EventKind.NODE_LOST, "rpi5-2"))
        assert (EventKind.NODE_READY, "rpi5-2") in told[lost:]
        assert watched.store.link.detail == "the simulation ends here"


def test_wound_back_it_is_as_it_was(scenario: Path) -> None:
    simulator = Simulator(scenario)
    with followed(simulator) as watched:
        watched.until(lambda: watched.store.playhead is not None)
        simulator.pause()
        playhead = watched.store.playhead
        assert playhead is not None
        begins = playhead.begins_unix_ns

        def at(second: int) -> FarmSnapshot:
            wind(simulator, second)
            watched.until(
                lambda: (
                    watched.store.reading is not None
                    and watched.store.reading.snapshot.taken_unix_ns == begins + second * SECOND
                )
            )
            assert watched.store.reading is not None
            return watched.store.reading.snapshot

        before, then = at(4), at(9)
        assert [node.state for node in before.nodes] == ["ready", "ready"]
        assert [node.state for node in then.nodes] == ["ready", "lost"]
        assert at(4) == before
        assert at(9) == then
        reading = watched.store.reading
        assert reading is not None
        assert reading.rates.requests_per_s == pytest.approx(20, abs=10)


def test_what_is_no_scenario_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    with pytest.raises(ConfigurationError, match=r"none\.yaml"):
        Simulator(path)
    path.write_text("nodes: 3\n")
    with pytest.raises(ConfigurationError, match="nodes"):
        Simulator(path)


def test_its_speed_is_steered(scenario: Path) -> None:
    simulator = Simulator(scenario)
    for steer in (simulator.pause, simulator.faster, simulator.slower):
        steer()
    simulator.skip(1.0)
    with followed(simulator) as watched:
        watched.until(lambda: watched.store.playhead is not None)
        simulator.faster()
        watched.until(
            lambda: watched.store.playhead is not None and watched.store.playhead.speed == 2.0
        )
        simulator.pause()
        watched.until(lambda: watched.store.playhead is not None and watched.store.playhead.paused)
