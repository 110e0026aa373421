"""A host is set aside, loaded, measured and put back, whatever happens meanwhile."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from little_farm import WAIT_S, LittleFarm, until

from farm.core.clock import SystemClock
from farm.core.energy import EnergySource
from farm.core.errors import (
    ConfigurationError,
    FarmError,
    InvalidRequestError,
    NodeBusyError,
    NodeLostError,
    UnreachableError,
)
from farm.core.nodes import NodeProfile, NodeState, NodeVitals
from farm.energy.calibration import LOADS, Calibration, CalibrationPoint
from farm.engine import load_steps
from farm.engine.calibration import Calibrator
from farm.engine.calibration_store import Calibrations, decode, encode
from farm.engine.hosts import Hosts
from farm.engine.load_steps import SETTLING, CalibrationPhase, CalibrationProgress

IDLE_W, ABOVE_W = 3.0, 6.0


class Board:
    """Beats for a node as a metered board would that does what it is asked to."""

    def __init__(self, farm: LittleFarm, node_id: str, **always: Any) -> None:
        self._farm = farm
        self._node = farm.pool.nodes[node_id]
        self._joules = self._seconds = 0.0
        # What its heartbeats say in the place of what they would.
        self.always: dict[str, Any] = {"meter": "hwmon"} | always
        self.mute = False
        # What it takes for a watt.
        self.unit_w = 1.0

    @property
    def asked(self) -> tuple[float, float]:
        return self._node.exercises[-1] if self._node.exercises else (0.0, 0.0)

    def vitals(self) -> NodeVitals:
        load, seconds = self.asked
        watts = (IDLE_W + ABOVE_W * load) / self.unit_w
        if not self.mute:
            self._joules += watts
            self._seconds += 1.0
        vitals = self._farm.vitals(self._node.node_id, memory_available_bytes=1 << 30)
        told: dict[str, Any] = {
            "cpu_fraction": load,
            "cordoned": seconds > 0 or self._node.cordoned,
            "metered_j": self._joules,
            "metered_s": self._seconds,
            "power_w": watts,
        }
        return replace(vitals, **told | self.always)

    async def beat(self) -> None:
        """Beat for ever, as fast as the farm listens."""
        member = self._farm.fleet.members[self._node.node_id]
        while True:
            vitals = self.vitals()
            self._farm.pool.beat(self._node.node_id, vitals)
            await until(lambda vitals=vitals: member.vitals is vitals)  # type: ignore[misc]


class Bench:
    """A little farm of metered boards, and what calibrates them."""

    def __init__(self, farm: LittleFarm, folder: Path, **always: Any) -> None:
        self.farm = farm
        self.boards = {node_id: Board(farm, node_id, **always) for node_id in farm.pool.nodes}
        self.calibrations = Calibrations(folder)
        self.calibrator = Calibrator(
            pool=farm.pool,
            engine=farm.engine,
            fleet=farm.fleet,
            hosts=farm.hosts,
            calibrations=self.calibrations,
            clock=SystemClock(),
        )

    async def calibrate(self, host: str = "a") -> list[CalibrationProgress]:
        async with aclosing(self.calibrator.calibrate(host, step_s=2.0)) as steps:
            return [step async for step in steps]

    async def fails(self, error: type[FarmError], why: str, host: str = "a") -> None:
        with pytest.raises(error, match=why):
            await asyncio.wait_for(self.calibrate(host), WAIT_S)

    async def serves_again(self) -> None:
        for node_id, board in self.boards.items():
            assert board.asked == (0.0, 0.0)
            member = self.farm.fleet.members[node_id]
            await until(lambda member=member: not member.cordoned)  # type: ignore[misc]


@asynccontextmanager
async def bench(
    *node_ids: str, folder: Path | None = None, host: str = "", **always: Any
) -> AsyncIterator[Bench]:
    async with AsyncExitStack() as stack:
        scratch = stack.enter_context(TemporaryDirectory())
        farm = await stack.enter_async_context(LittleFarm(*(node_ids or ("a",))))
        for node in farm.pool.nodes.values():
            node.board, node.host = "rpi5-8gb", host
        await farm.start_nodes()
        found = Bench(farm, folder or Path(scratch), **always)
        beats = [asyncio.create_task(each.beat()) for each in found.boards.values()]
        try:
            await until(lambda: all(m.vitals is not None for m in farm.fleet.members.values()))
            yield found
        finally:
            for task in beats:
                task.cancel()
            await asyncio.gather(*beats, return_exceptions=True)


async def test_a_board_is_fitted_kept_and_shared_with_its_kind(tmp_path: Path) -> None:
    async with bench("a", "b", folder=tmp_path / "calibrations") as there:
        *steps, last = await there.calibrate()
        assert [phase for phase in CalibrationPhase if any(s.phase is phase for s in steps)] == [
            CalibrationPhase.WAITING, CalibrationPhase.SETTLING, CalibrationPhase.MEASURING,
        ]  # fmt: skip
        assert [p.load for p in last.points] == list(LOADS)
        calibration = last.calibration
        assert calibration is not None
        assert last.warning == ""
        assert (calibration.board, calibration.host, calibration.meter) == ("rpi5", "a", "hwmon")
        assert calibration.idle_w == pytest.approx(IDLE_W)
        assert calibration.load_w == pytest.approx(IDLE_W + ABOVE_W)
        assert calibration.rmse_w == pytest.approx(0.0, abs=1e-9)
        await there.serves_again()
        loads = [load for load, seconds in there.boards["a"]._node.exercises if seconds]
        assert loads == [0.0, *LOADS]
        assert there.boards["b"]._node.exercises == []
        again = Calibrations(tmp_path / "calibrations")
        assert again.model("rpi5") == calibration.power
        assert again.power("rpi5", cores=4) == calibration.power


async def test_each_step_settles_first_and_lasts_as_asked() -> None:
    async with bench() as there:
        steps = await there.calibrate()
        for load in LOADS:
            phases = [s.phase for s in steps if s.load == load]
            assert phases.count(CalibrationPhase.SETTLING) == SETTLING + 1
            assert phases.count(CalibrationPhase.MEASURING) >= 1
        assert all(point.seconds >= 2.0 for point in steps[-1].points)


async def test_a_meter_that_is_asked_seldom_has_told_of_each_load_before_it_counts() -> None:
    async with bench() as there:
        member = there.farm.fleet.members["a"]
        assert member.profile is not None
        member.profile = replace(member.profile, meter_interval_s=20.0)
        settling = [s for s in await there.calibrate() if s.phase is CalibrationPhase.SETTLING]
        assert len(settling) == len(LOADS) * (SETTLING + 20)


async def test_all_nodes_of_a_host_are_set_aside_and_one_works() -> None:
    async with bench("a", "b", host="shelf") as there:
        last = (await there.calibrate("shelf"))[-1]
        assert last.calibration is not None
        assert last.calibration.host == "shelf"
        nodes = there.farm.pool.nodes
        assert {load for load, _ in nodes["a"].exercises} == set(LOADS)
        assert {load for load, _ in nodes["b"].exercises} == {0.0}
        await there.serves_again()


async def test_a_node_that_is_set_aside_says_why() -> None:
    async with bench("a") as there:
        reasons = set()
        async with aclosing(there.calibrator.calibrate("a", step_s=2.0)) as steps:
            async for step in steps:
                (node,) = there.farm.snapshots.take().nodes
                if step.phase is CalibrationPhase.MEASURING:
                    reasons.add((node.state, node.reason))
        assert reasons == {(NodeState.CORDONED, "its host is being calibrated")}
        await there.serves_again()
        (node,) = there.farm.snapshots.take().nodes
        assert (node.state, node.reason) == (NodeState.READY, "")


async def test_what_runs_there_is_waited_for() -> None:
    async with bench("a") as there:
        there.farm.pool.nodes["a"].auto = False
        caller = there.farm.infer(b"11")
        await until(there.farm.pool.open_flights)
        async with aclosing(there.calibrator.calibrate("a", step_s=2.0)) as steps:
            async for step in steps:
                if step.phase is not CalibrationPhase.WAITING:
                    break
                if there.farm.pool.open_flights():
                    assert there.boards["a"].asked[0] == 0.0
                    there.farm.pool.flights[0].finish()
        assert (await caller).outputs[0].raw == b"11"
        await there.serves_again()


async def test_a_host_that_does_not_come_to_rest_is_put_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(load_steps, "_IDLE_S", 0.0)
    async with bench(slots_busy=1) as there:
        await there.fails(NodeBusyError, "still runs batches")
        await there.serves_again()


async def test_an_operator_who_leaves_ends_it() -> None:
    async with bench() as there:
        async with aclosing(there.calibrator.calibrate("a", step_s=2.0)) as steps:
            async for step in steps:
                if step.load == 0.5:
                    break
            await there.fails(NodeBusyError, "being calibrated already")
        await there.serves_again()
        assert (await there.calibrate())[-1].calibration is not None


async def test_a_node_that_was_cordoned_stays_so() -> None:
    async with bench() as there:
        there.farm.pool.nodes["a"].cordoned = True
        await there.calibrate()
        assert there.boards["a"].asked == (0.0, 0.0)
        assert there.boards["a"].vitals().cordoned


@pytest.mark.parametrize(
    ("always", "error", "why"),
    [
        pytest.param({"meter": ""}, ConfigurationError, "no power meter", id="no meter"),
        pytest.param(
            {"power_w": None, "meter_fault": "it answers HTML"},
            UnreachableError,
            "tells nothing now: it answers HTML",
            id="lost meter",
        ),
    ],
)
async def test_a_host_that_cannot_be_measured_is_refused_at_once(
    always: dict[str, Any], error: type[FarmError], why: str
) -> None:
    async with bench(**always) as there:
        await there.fails(error, why)
        assert there.farm.pool.nodes["a"].exercises == []


async def test_a_meter_in_milliwatts_teaches_nothing_about_boards() -> None:
    async with bench() as there:
        there.boards["a"].unit_w = 0.001
        await until(lambda: bool(there.farm.hosts.doubt("a")))
        await there.fails(UnreachableError, "is not believed: it tells of 3000 W, and a board")
        (node,) = there.farm.snapshots.take().nodes
        assert node.meter_fault.startswith("it tells of 3000 W")
        assert there.farm.pool.nodes["a"].exercises == []


async def test_a_host_that_is_not_there_is_refused() -> None:
    async with bench("a", "b") as there:
        await there.fails(InvalidRequestError, "no host 'c'; it has a, b", host="c")
        there.farm.pool.kill("b")
        await until(lambda: there.farm.fleet.members["b"].state is NodeState.LOST)
        await there.fails(NodeLostError, "'b' of host 'b' is lost", host="b")
        with pytest.raises(InvalidRequestError, match="a step takes"):
            async with aclosing(there.calibrator.calibrate("a", step_s=0.1)) as steps:
                await anext(steps)


async def test_a_meter_that_falls_silent_ends_it() -> None:
    async with bench() as there:
        async with aclosing(there.calibrator.calibrate("a", step_s=2.0)) as steps:
            with pytest.raises(UnreachableError, match="then no more: it hangs"):
                async for step in steps:
                    if step.load == 0.25:
                        there.boards["a"].mute = True
                        there.boards["a"].always["meter_fault"] = "it hangs"
        await there.serves_again()


async def test_a_meter_of_another_host_makes_no_model() -> None:
    async with bench(cpu_fraction=0.3) as there:
        await there.fails(ConfigurationError, "too little to tell")
        await there.serves_again()
        assert there.calibrations.model("rpi5") is None


async def test_a_node_that_is_started_anew_ends_it() -> None:
    async with bench() as there, aclosing(there.calibrator.calibrate("a", step_s=2.0)) as steps:
        with pytest.raises(NodeLostError, match="started anew"):
            async for step in steps:
                if step.load == 0.25:
                    there.boards["a"].always["incarnation"] = "another"


async def test_what_cannot_be_kept_is_said_and_used_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    async with bench(folder=tmp_path / "file") as there:
        last = (await there.calibrate())[-1]
        assert "holds until the gateway stops" in last.warning
        assert there.calibrations.model("rpi5") is not None


def test_hosts_are_reckoned_by_their_calibration_from_then_on(tmp_path: Path) -> None:
    known = Calibrations(tmp_path)
    hosts = Hosts({}, boards=known.power)
    for node_id, board in (("a", "rpi5-8gb"), ("b", "Raspberry Pi 5 Model B Rev 1.0"), ("c", "")):
        hosts.joined(
            NodeProfile(
                node_id=node_id, incarnation="1", host=f"pi-{node_id}", board=board,
                architecture="aarch64", cores=4,
            )
        )  # fmt: skip
    assert [hosts.place(node_id).board for node_id in "abc"] == ["rpi5", "rpi5", "aarch64 pi-c"]

    assert hosts.core_second_j("a") == pytest.approx((9.7 - 2.8) / 4)
    known.learn(one("rpi5"))
    hosts.calibrated("rpi5")
    assert hosts.core_second_j("a") == hosts.core_second_j("b") == pytest.approx((5.0 - 2.0) / 4)
    assert hosts.core_second_j("c") == pytest.approx(3.5 - 0.74)


# -- the store ------------------------------------------------------------------------------

figure = st.floats(0, 1e6)
points = st.builds(
    CalibrationPoint,
    load=figure, utilisation=figure, speed=figure, watts=figure, spread_w=figure, seconds=figure,
)  # fmt: skip
calibrations = st.builds(
    Calibration,
    board=st.text(), host=st.text(), measured_unix_ns=st.integers(0, 1 << 62), meter=st.text(),
    points=st.lists(points, max_size=5).map(tuple),
    idle_w=st.floats(0.1, 10), load_w=st.floats(11, 100), rmse_w=figure,
    idle_error_w=figure, load_error_w=figure,
)  # fmt: skip


@settings(deadline=None)
@given(calibrations)
def test_a_calibration_survives_the_disk(calibration: Calibration) -> None:
    assert decode(encode(calibration)) == calibration


@settings(deadline=None)
@given(calibrations, st.integers(0, 400), st.binary(max_size=3))
def test_a_damaged_file_is_a_calibration_or_an_error_in_words(
    calibration: Calibration, at: int, garbage: bytes
) -> None:
    content = encode(calibration)
    try:
        decode(content[:at] + garbage + content[at + 1 :])
    except ConfigurationError as error:
        assert error.message


def one(board: str) -> Calibration:
    return Calibration(
        board=board, host="h", measured_unix_ns=1, meter="hwmon", points=(), idle_w=2.0,
        load_w=5.0, rmse_w=0.1, idle_error_w=0.3, load_error_w=0.3,
    )  # fmt: skip


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{}",
        b"{" * 100_000,
        encode(one("rpi5")).replace(b"5.0", b"1.0"),
        encode(one("rpi5")).replace(b"2.0", b"NaN"),
        encode(one("rpi5")).replace(b'"host": "h"', b'"host": 7'),
        encode(one("rpi5")).replace(b'"format": 1', b'"format": 2'),
        encode(one("rpi5")).replace(b'"points": []', b'"points": [7]'),
    ],
)
def test_a_damaged_calibration_is_set_aside(tmp_path: Path, content: bytes) -> None:
    Calibrations(tmp_path).write(one("rpi4b"))
    (tmp_path / "rpi5-00000000.json").write_bytes(content)
    found = Calibrations(tmp_path)
    assert found.model("rpi4b") == one("rpi4b").power
    assert found.model("rpi5") is None
    assert found.power("rpi5", cores=4).source is EnergySource.MODELLED
    assert (tmp_path / "rpi5-00000000.json.damaged").read_bytes() == content
    assert Calibrations(tmp_path).model("rpi4b") is not None


def test_boards_of_like_names_have_files_of_their_own(tmp_path: Path) -> None:
    kept = Calibrations(tmp_path)
    for name in ("A b", "a-b", "../a", "x86_64 host"):
        kept.write(one(name))
    assert all(Calibrations(tmp_path).model(name) for name in ("A b", "a-b", "../a", "x86_64 host"))
    assert json.loads(next(tmp_path.glob("*.json")).read_text())["format"] == 1
