"""A simulation that is watched is the one that is reported on."""

from itertools import pairwise
from pathlib import Path

import pytest
from little_sim import little_setup

from farm.core.energy import EnergySource
from farm.core.models import ModelState
from farm.core.nodes import NodeState
from farm.core.snapshots import FarmSnapshot
from farm.sim.live import LiveFarm
from farm.sim.schedulers import known_schedulers
from farm.sim.setup import Setup
from farm.sim.simulation import simulate

BEGAN = 1_750_000_000_000_000_000
SECOND = 1_000_000_000


def watched(setup: Setup, policy: str = "least_expected_completion") -> list[FarmSnapshot]:
    """Return the farm at each second until the end."""
    farm = LiveFarm(setup, policy, name="little", began_unix_ns=BEGAN)
    snapshots = [farm.snapshot()]
    while farm.advance(farm.now + 1.0):
        snapshots.append(farm.snapshot())
        assert len(snapshots) < 1_000
    return [*snapshots, farm.snapshot()]


@pytest.mark.parametrize("policy", known_schedulers())
def test_its_counts_are_those_of_the_report(tmp_path: Path, policy: str) -> None:
    setup = little_setup(tmp_path)
    report = simulate(setup, policy)
    last = watched(setup, policy)[-1]
    (model,) = last.models
    assert model.requests_total == report.offered
    assert sum(model.latencies) == report.answered
    assert model.failures_total == sum(report.failed.values()) + sum(report.refused.values())
    assert model.rows_total == report.answered
    nodes = {node.node: node for node in report.nodes}
    for node in last.nodes:
        assert node.work.answers_total == nodes[node.node_id].requests
        assert node.work.batches_total == nodes[node.node_id].batches


def test_it_runs_in_virtual_time_and_always_the_same(tmp_path: Path) -> None:
    setup = little_setup(tmp_path)
    first, second = watched(setup), watched(setup)
    assert first == second
    assert [each.taken_unix_ns for each in first] == [
        BEGAN + number * SECOND for number in range(len(first))
    ]


def test_watts_are_modelled_and_joules_are_what_was_drawn(tmp_path: Path) -> None:
    snapshots = watched(little_setup(tmp_path))
    for before, after in pairwise(snapshots):
        for old, new in zip(before.nodes, after.nodes, strict=True):
            assert new.power is not None
            assert new.power.source is EnergySource.MODELLED
            assert new.power.watts.low < new.power.watts.typical < new.power.watts.high
            assert new.work.joules > old.work.joules
            assert new.vitals is not None
            assert 0 <= new.vitals.cpu_fraction <= 1
            assert new.vitals.temperature_c is None
    last = snapshots[-1]
    assert last.energy.modelled_j == pytest.approx(sum(node.work.joules for node in last.nodes))


def test_a_node_that_dies_is_lost_until_it_is_back(tmp_path: Path) -> None:
    faults = [{"kind": "die", "node": "rpi4b-1", "at_s": 2.5, "for_s": 3}]
    setup = little_setup(tmp_path, faults=faults, requests=3_000)
    states = [
        {node.node_id: node.state for node in snapshot.nodes}["rpi4b-1"]
        for snapshot in watched(setup)
    ]
    assert states[2] is NodeState.READY
    assert states[3] is NodeState.LOST
    assert NodeState.READY in states[6:]


def test_a_model_is_served_where_a_node_is_up(tmp_path: Path) -> None:
    (model,) = watched(little_setup(tmp_path))[1].models
    assert model.state is ModelState.READY
    assert len(model.ready_nodes) == 3
