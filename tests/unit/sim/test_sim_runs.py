"""Whole simulations: what they find out, that chance is seeded, that nothing gets lost."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from little_sim import little_setup, report_on, write

from farm.core.errors import InternalError, QueueFullError
from farm.scheduling.effects import Effect, RejectRequest
from farm.scheduling.events import Event, RequestArrived
from farm.sim.from_scenario import read_scenario, setup_of
from farm.sim.schedulers import known_schedulers
from farm.sim.simulation import Simulation, simulate

SCENARIOS = sorted((Path(__file__).parents[3] / "docs" / "scenarios").glob("*.yaml"))


@pytest.mark.parametrize("policy", known_schedulers())
def test_every_scheduler_answers_everything(tmp_path: Path, policy: str) -> None:
    report = report_on(tmp_path, policy=policy)
    assert report.policy == policy
    assert report.answered == 200
    assert report.lost == 0
    assert report.latency.p50_ms is not None
    # The quickest board takes 16.4 ms for a row, give or take the noise.
    assert report.latency.p50_ms > 13


@pytest.mark.parametrize("file", SCENARIOS, ids=lambda file: file.stem)
def test_the_shipped_scenarios_lose_nothing(file: Path) -> None:
    scenario = read_scenario(file).model_copy(update={"requests": 300, "warmup_s": 0.0})
    report = simulate(setup_of(scenario, file=file), scenario.policy)
    assert report.lost == 0
    assert report.answered > 0


def test_throughput_at_saturation_is_near_the_boards_capacity(tmp_path: Path) -> None:
    report = report_on(
        tmp_path,
        requests=2_000,
        warmup_s=1,
        arrivals={"kind": "closed", "callers": 24},
    )
    # Two Pi 5 of two slots and a Pi 4 of two, one thread each.
    assert report.capacity_rows_per_s == pytest.approx(4 / 0.0164 + 2 / 0.0935)
    assert report.share_of_capacity is not None
    assert 0.85 < report.share_of_capacity <= 1.05


@pytest.mark.parametrize("policy", known_schedulers())
def test_no_scheduler_gets_more_threads_than_a_board_has(tmp_path: Path, policy: str) -> None:
    report = report_on(
        tmp_path,
        policy=policy,
        nodes=[{"board": "rpi5"}],
        models={"mobilenetv2": {"threads": 4}},
        arrivals={"kind": "closed", "callers": 8},
    )
    assert report.share_of_capacity is not None
    assert report.share_of_capacity <= 1.05


def test_joules_are_conserved_and_waste_is_seen_when_nodes_fail(tmp_path: Path) -> None:
    report = report_on(
        tmp_path,
        requests=400,
        faults=[
            {"kind": "die", "node": "rpi5-1", "at_s": 1.0, "for_s": 3.0},
            {"kind": "flaky", "node": "rpi5-2", "at_s": 0.5, "for_s": 4.0, "fraction": 0.4},
        ],
    )
    assert report.retries > 0
    assert report.energy is not None
    assert report.energy.wasted_j > 0
    assert report.to_json()["energy"]["wasted_j"] > 0


def test_a_seed_is_another_run_and_the_same_seed_the_same(tmp_path: Path) -> None:
    one, same, other = (report_on(tmp_path, seed=seed).to_json() for seed in (1, 1, 2))
    assert one == same
    assert one != {**other, "seed": 1}


def test_reports_are_the_same_in_every_process(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        models={"mobilenetv2": {"max_batch_size": 4}, "tiny": {"max_batch_size": 16}},
        mix=[
            {"model": "mobilenetv2", "client": "camera"},
            {"model": "tiny", "client": "sensor", "priority": 2},
        ],
        faults=[
            {"kind": "die", "node": "rpi5-1", "at_s": 0.3, "for_s": 0.5},
            {"kind": "hang", "node": "rpi4b-1", "at_s": 0.5},
            {"kind": "flaky", "node": "rpi5-2", "at_s": 0.2, "fraction": 0.1},
        ],
    )

    def output(hash_seed: str) -> bytes:
        command = [sys.executable, "-m", "farm", "sim", "run", str(file), "--output", "json"]
        policies = ["--policy", "least_expected_completion", "--policy", "power_of_two_choices"]
        return subprocess.run(
            [*command, *policies],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
            timeout=60,
        ).stdout

    first = output("1")
    assert first == output("2")
    assert len(json.loads(first)["reports"]) == 2


def test_requests_that_come_too_fast_are_refused(tmp_path: Path) -> None:
    report = report_on(
        tmp_path,
        requests=500,
        arrivals={"kind": "poisson", "load": 20.0},
        limits={"max_queue_size": 10},
    )
    assert report.refused["queue_full"] > 0
    assert report.lost == 0


def test_a_run_may_end_in_its_first_instant(tmp_path: Path) -> None:
    report = report_on(
        tmp_path,
        requests=1,
        arrivals={"kind": "closed", "callers": 1},
        mix=[{"model": "mobilenetv2", "deadline_s": 1e-6}],
    )
    assert report.ended_at_s == 0
    assert report.refused == {"deadline_exceeded": 1}
    assert {node.utilisation for node in report.nodes} == {0}


def test_a_deadline_that_passes_is_a_failure_not_an_answer(tmp_path: Path) -> None:
    report = report_on(
        tmp_path,
        policy="baseline_round_robin",
        arrivals={"kind": "poisson", "load": 3.0},
        mix=[{"model": "mobilenetv2", "deadline_s": 0.2}],
    )
    assert report.failed["deadline_exceeded"] > 0


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "die", "at_s": 0.3, "for_s": 1.0},
        {"kind": "die", "at_s": 0.3},
        {"kind": "hang", "at_s": 0.3, "for_s": 1.0},
        {"kind": "hang", "at_s": 0.3},
        {"kind": "slow", "at_s": 0.3, "factor": 4, "told": True},
        {"kind": "busy", "at_s": 0.3, "for_s": 1.0},
    ],
    ids=str,
)
@pytest.mark.parametrize("policy", ["least_expected_completion", "baseline_replica_batching"])
def test_no_accepted_request_is_lost_in_a_fault(
    tmp_path: Path, fault: dict[str, Any], policy: str
) -> None:
    report = report_on(tmp_path, policy=policy, faults=[{"node": "rpi5-1", **fault}])
    assert report.lost == 0
    if policy == "least_expected_completion":
        assert not report.failed


class Stammerer:
    """A scheduler that answers every request twice."""

    def handle_all(self, events: Iterable[Event], now: float) -> list[Effect]:
        error = QueueFullError("no room")
        ids = [event.request.id for event in events if isinstance(event, RequestArrived)]
        return [RejectRequest(id_, error) for id_ in ids for _ in range(2)]


def test_a_scheduler_that_answers_twice_is_found_out(tmp_path: Path) -> None:
    with pytest.raises(InternalError, match="request 1 was answered twice"):
        Simulation(little_setup(tmp_path), Stammerer()).run("stammerer")


class Sloth:
    """A scheduler that answers nothing."""

    def handle_all(self, events: Iterable[Event], now: float) -> list[Effect]:
        return []


def test_requests_without_a_reply_are_counted(tmp_path: Path) -> None:
    report = Simulation(little_setup(tmp_path), Sloth()).run("sloth")
    assert (report.lost, report.accepted, report.answered) == (200, 200, 0)
    assert report.latency.p50_ms is None
    assert report.joules_per_row is None


def test_joules_are_idle_watts_and_what_the_work_adds(tmp_path: Path) -> None:
    report = report_on(tmp_path, nodes=[{"board": "rpi5"}])
    node = report.nodes[0]
    watts = 2.8 + node.utilisation * (9.7 - 2.8)
    assert report.joules_per_row == pytest.approx(watts * report.ended_at_s / node.rows)
    assert node.joules_per_row == report.joules_per_row


def test_a_laptop_needs_no_extra_to_simulate() -> None:
    found = subprocess.run(
        [sys.executable, "-c", "import sys, farm.cli.sim, farm.sim.from_scenario,"
         " farm.sim.simulation; print(*sys.modules)"],
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    ).stdout.split()  # fmt: skip
    assert not {"ray", "onnxruntime", "structlog", "psutil", "prometheus_client"} & set(found)


_FAULTS = st.one_of(
    st.fixed_dictionaries({"kind": st.just("die"), "for_s": st.floats(0.1, 5)}),
    st.fixed_dictionaries({"kind": st.just("hang"), "for_s": st.floats(0.1, 9)}),
    st.fixed_dictionaries(
        {"kind": st.just("slow"), "factor": st.floats(1, 9), "told": st.booleans()}
    ),
    st.fixed_dictionaries({"kind": st.just("flaky"), "fraction": st.floats(0.01, 1)}),
    st.fixed_dictionaries({"kind": st.just("busy"), "for_s": st.floats(0.1, 3)}),
    st.fixed_dictionaries({"kind": st.just("lossy"), "fraction": st.floats(0.01, 0.5)}),
)
_PLACED = st.tuples(
    _FAULTS, st.sampled_from(["rpi5-1", "rpi5-2", "rpi4b-1"]), st.floats(0, 1.5)
).map(lambda drawn: {**drawn[0], "node": drawn[1], "at_s": drawn[2]})


@settings(max_examples=25, deadline=None)
@given(
    faults=st.lists(_PLACED, max_size=4, unique_by=lambda fault: (fault["kind"], fault["node"])),
    seed=st.integers(0, 1_000),
    policy=st.sampled_from(known_schedulers()),
    load=st.floats(0.2, 2),
    priority=st.integers(1, 2),
)
def test_every_accepted_request_gets_one_reply(
    faults: list[dict[str, Any]], seed: int, policy: str, load: float, priority: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        # A second reply would end the simulation with an error.
        report = report_on(
            Path(folder),
            policy=policy,
            faults=faults,
            seed=seed,
            requests=80,
            settle_s=300,
            arrivals={"kind": "poisson", "load": load},
            mix=[
                {"model": "mobilenetv2", "rows": 2, "deadline_s": 20},
                {"model": "mobilenetv2", "priority": priority, "deadline_s": 30},
            ],
        )
    # The baselines know no deadlines: what a lossy link takes from them nobody answers.
    if not policy.startswith("baseline"):
        assert report.lost == 0
