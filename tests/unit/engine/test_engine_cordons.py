"""Operators take nodes out of service; the machine has nodes probed and replaced."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace

import pytest
from fake_pool import FakePool
from little_farm import WAIT_S, LittleFarm, artifact, until

from farm.core.errors import (
    ExecutionFailedError,
    InvalidRequestError,
    ModelUnavailableError,
    NodeLostError,
    UnreachableError,
)
from farm.core.nodes import NodeState, NodeVitals
from farm.core.snapshots import NodeSnapshot
from farm.engine import cordons as engine_cordons
from farm.engine.cordons import Cordons
from farm.scheduling.effects import Effect, ProbeNode, ReplaceNode
from farm.scheduling.events import Event, NodeHeard, NodeProbed
from farm.scheduling.limits import SchedulingLimits
from farm.scheduling.machine import Machine
from farm.scheduling.placement import LeastExpectedCompletion


def cordons(farm: LittleFarm) -> Cordons:
    return Cordons(pool=farm.pool, engine=farm.engine, fleet=farm.fleet)


def node(farm: LittleFarm, node_id: str) -> NodeSnapshot:
    return farm.snapshots.node(node_id)


def beat(farm: LittleFarm, node_id: str, *, cordoned: bool, speed: float = 1.0) -> NodeVitals:
    vitals = farm.vitals(node_id, memory_available_bytes=1 << 30)
    vitals = replace(vitals, cordoned=cordoned, speed=speed)
    farm.pool.beat(node_id, vitals)
    return vitals


async def heard(farm: LittleFarm, node_id: str, *, cordoned: bool) -> None:
    vitals = beat(farm, node_id, cordoned=cordoned)
    await until(lambda: farm.fleet.members[node_id].vitals is vitals)


async def served_by(farm: LittleFarm, requests: int = 12) -> set[str]:
    answers = await asyncio.gather(*(farm.infer() for _ in range(requests)))
    return {answer.receipt.node_id for answer in answers}


# -- cordons --------------------------------------------------------------------------


async def test_a_cordoned_node_gets_no_new_batches_until_it_is_uncordoned() -> None:
    async with LittleFarm("a", "b") as farm:
        await farm.start_nodes()
        await cordons(farm).draw("a", cordoned=True)
        seen = node(farm, "a")
        assert (seen.state, seen.cordoned) == (NodeState.CORDONED, True)
        assert "an operator" in seen.reason
        assert farm.pool.nodes["a"].cordoned
        assert await served_by(farm) == {"b"}
        await cordons(farm).draw("a", cordoned=False)
        assert node(farm, "a").state is NodeState.READY
        await cordons(farm).draw("b", cordoned=True)
        assert await served_by(farm) == {"a"}


async def test_what_runs_at_a_cordoned_node_ends_its_run_and_is_counted() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        farm.pool.nodes["a"].auto = False
        caller = farm.infer(b"11")
        await until(farm.pool.open_flights)
        await cordons(farm).draw("a", cordoned=True)
        assert node(farm, "a").inflight_batches == 1
        farm.pool.flights[0].finish()
        assert (await caller).outputs[0].raw == b"11"
        assert node(farm, "a").inflight_batches == 0


async def test_a_farm_of_cordoned_nodes_is_not_serving() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        assert farm.dataplane.serving()
        await cordons(farm).draw("a", cordoned=True)
        assert not farm.dataplane.serving()
        assert farm.fleet.any_ready()


async def test_a_cordoned_node_keeps_its_models_and_gets_new_ones() -> None:
    async with LittleFarm("a", models=(artifact(), artifact("other")), unloaded=["other"]) as farm:
        await farm.start_nodes()
        await cordons(farm).draw("a", cordoned=True)
        await farm.control.load("other")
        assert len(farm.pool.nodes["a"].held) == 2


async def test_a_node_comes_back_cordoned_before_it_gets_traffic() -> None:
    async with LittleFarm("a", "b") as farm:
        farm.pool.nodes["a"].cordoned = True
        await farm.start_nodes()
        await until(lambda: node(farm, "a").state is NodeState.CORDONED)
        assert await served_by(farm) == {"b"}
        farm.pool.kill("a")
        await until(lambda: node(farm, "a").state is NodeState.LOST)
        assert node(farm, "a").cordoned
        farm.pool.start("a")
        await until(lambda: node(farm, "a").state is NodeState.CORDONED)
        assert await served_by(farm) == {"b"}


async def test_a_cordon_of_another_gateway_is_noticed_by_the_next_heartbeat() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        await heard(farm, "a", cordoned=True)
        await until(lambda: node(farm, "a").state is NodeState.CORDONED)
        await heard(farm, "a", cordoned=False)
        await until(lambda: node(farm, "a").state is NodeState.READY)


async def test_a_heartbeat_that_was_on_its_way_does_not_undo_a_cordon() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        await cordons(farm).draw("a", cordoned=True)
        await heard(farm, "a", cordoned=False)
        assert node(farm, "a").state is NodeState.CORDONED
        await heard(farm, "a", cordoned=True)
        assert node(farm, "a").state is NodeState.CORDONED


async def test_a_node_that_cannot_be_told_is_not_cordoned() -> None:
    async with LittleFarm("a", "b") as farm:
        farm.pool.start("a")
        await until(farm.fleet.any_ready)
        with pytest.raises(InvalidRequestError, match="no node 'c'; it has a, b"):
            await cordons(farm).draw("c", cordoned=True)
        with pytest.raises(NodeLostError, match="'b' is not up"):
            await cordons(farm).draw("b", cordoned=True)
        assert not node(farm, "b").cordoned


async def test_a_node_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(engine_cordons, "_ANSWER_S", 0.01)
    monkeypatch.setattr(FakePool, "set_cordon", hang)
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        with pytest.raises(UnreachableError, match="'a' did not answer"):
            await cordons(farm).draw("a", cordoned=True)
        assert not node(farm, "a").cordoned


# -- heartbeats, probes, replacements -------------------------------------------------


class Wishing(Machine):
    """A machine that wants one more thing done, and notes what it is told."""

    def __init__(self) -> None:
        super().__init__(limits=SchedulingLimits(), policy=LeastExpectedCompletion())
        self.wishes: list[Effect] = []
        self.seen: list[Event] = []

    def handle_all(self, events: Iterable[Event], now: float) -> list[Effect]:
        events = tuple(events)
        self.seen += events
        wishes, self.wishes = self.wishes, []
        return [*super().handle_all(events, now), *wishes]

    def told(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.seen if isinstance(event, kind)]


async def wished(farm: LittleFarm, machine: Wishing, *effects: Effect) -> None:
    """Let the engine carry effects out, in the turn of some heartbeat."""
    machine.wishes += effects
    beat(farm, "a", cordoned=False)
    await until(lambda: not machine.wishes)


async def test_every_heartbeat_reaches_the_machine_with_the_nodes_speed() -> None:
    machine = Wishing()
    async with LittleFarm("a", machine=machine) as farm:
        await farm.start_nodes()
        for speed in (1.0, 0.5):
            beat(farm, "a", cordoned=False, speed=speed)
        await until(lambda: len(machine.told(NodeHeard)) == 2)
        assert machine.told(NodeHeard) == [
            NodeHeard(node_id="a", incarnation="a-1", speed=1.0),
            NodeHeard(node_id="a", incarnation="a-1", speed=0.5),
        ]


@pytest.mark.parametrize(
    ("digests", "errors", "probed", "ok"),
    [
        pytest.param(("d1",), {}, ["d1"], True, id="answered"),
        pytest.param((), {}, [""], True, id="holds no model"),
        pytest.param(
            ("d1", "d2"),
            {"d1": ModelUnavailableError("unloaded")},
            ["d1", "d2"],
            True,
            id="the first was unloaded",
        ),
        pytest.param(
            ("d1",), {"d1": ModelUnavailableError("unloaded")}, ["d1"], False, id="all unloaded"
        ),
        pytest.param(("d1", "d2"), {"d1": ExecutionFailedError("no")}, ["d1"], False, id="failed"),
        pytest.param(("d1",), {"d1": ZeroDivisionError("secret")}, ["d1"], False, id="defect"),
        pytest.param(
            tuple("abcdef"),
            {digest: ModelUnavailableError("unloaded") for digest in "abcdef"},
            ["a", "b", "c"],
            False,
            id="not for ever",
        ),
    ],
)
async def test_a_probe_tells_the_machine_what_came_of_it(
    digests: tuple[str, ...], errors: dict[str, Exception], probed: list[str], ok: bool
) -> None:
    machine = Wishing()
    async with LittleFarm("a", machine=machine) as farm:
        await farm.start_nodes()
        farm.pool.nodes["a"].probe_errors = errors
        await wished(farm, machine, ProbeNode("a", "a-1", digests))
        await until(lambda: machine.told(NodeProbed))
        assert machine.told(NodeProbed) == [NodeProbed(node_id="a", incarnation="a-1", ok=ok)]
        assert farm.pool.nodes["a"].probed == probed


async def test_a_probe_of_a_node_that_is_gone_fails() -> None:
    machine = Wishing()
    async with LittleFarm("a", machine=machine) as farm:
        await farm.start_nodes()
        farm.pool.nodes["a"].dead = True
        await wished(farm, machine, ProbeNode("a", "a-1", ("d1",)))
        await until(lambda: machine.told(NodeProbed))
        (probed,) = machine.told(NodeProbed)
        assert isinstance(probed, NodeProbed)
        assert not probed.ok


class Panicking(Machine):
    """A machine most of whose nodes are out."""

    def standing(self, node_id: str) -> NodeState | None:
        known = super().standing(node_id)
        return NodeState.SUSPECT if known is not None and node_id == "a" else known

    @property
    def panicking(self) -> bool:
        return True


async def test_operators_see_that_a_suspect_gets_batches_while_most_nodes_are_out() -> None:
    machine = Panicking(limits=SchedulingLimits(), policy=LeastExpectedCompletion())
    async with LittleFarm("a", "b", machine=machine) as farm:
        await farm.start_nodes()
        await until(lambda: node(farm, "a").state is NodeState.SUSPECT)
        assert "gets batches all the same" in node(farm, "a").reason
        assert node(farm, "b").reason == ""


async def test_a_node_that_hangs_is_replaced_through_the_pool() -> None:
    machine = Wishing()
    async with LittleFarm("a", "b", machine=machine) as farm:
        await farm.start_nodes()
        await wished(farm, machine, ReplaceNode("a", "a-1", "a batch is long overdue"))
        await until(lambda: farm.pool.replaced)
        assert farm.pool.replaced == [("a", "a-1", "a batch is long overdue")]


async def test_nothing_waits_for_a_probe_when_the_gateway_closes() -> None:
    machine = Wishing()

    async def hang(*_: object) -> None:
        await asyncio.Event().wait()

    async with LittleFarm("a", machine=machine) as farm:
        await farm.start_nodes()
        farm.pool.probe = hang  # type: ignore[method-assign]
        await wished(farm, machine, ProbeNode("a", "a-1", ("d1",)))
        await asyncio.wait_for(farm.engine.close(), WAIT_S)
