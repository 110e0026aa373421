"""Operators replace a node's process; what is known of a node in depth."""

import asyncio
from itertools import pairwise

import pytest
from little_farm import WAIT_S, LittleFarm, until

from farm.core.changes import changes
from farm.core.errors import InvalidRequestError, NodeLostError, UnreachableError
from farm.core.events import EventKind
from farm.core.nodes import NodeState
from farm.engine import restarts as module
from farm.engine.restarts import Restarts


def restarts(farm: LittleFarm) -> Restarts:
    return Restarts(pool=farm.pool, engine=farm.engine, fleet=farm.fleet)


def held(farm: LittleFarm) -> None:
    """Let batches wait at their nodes."""
    for node in farm.pool.nodes.values():
        node.auto = False


def beat(farm: LittleFarm, node_id: str) -> None:
    farm.pool.beat(node_id, farm.vitals(node_id, memory_available_bytes=1 << 30))


async def test_a_node_is_replaced_once_its_batches_have_ended() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        held(farm)
        caller = farm.infer(b"ab")
        await until(farm.pool.open_flights)
        restarting = asyncio.ensure_future(restarts(farm).restart("a"))
        later = farm.infer(b"cd")
        await asyncio.sleep(0)
        assert farm.pool.replaced == []
        farm.pool.open_flights()[0].finish()
        await asyncio.wait_for(caller, WAIT_S)
        await until(lambda: farm.pool.replaced)
        assert farm.pool.replaced == [("a", "a-1", "an operator restarted it")]
        farm.pool.kill("a")
        farm.pool.nodes["a"].auto = True
        farm.pool.start("a")
        await until(lambda: farm.fleet.members["a"].incarnation == "a-2")
        beat(farm, "a")
        await restarting
        assert (await asyncio.wait_for(later, WAIT_S)).receipt.node_id == "a"


async def test_a_batch_that_takes_too_long_does_not_hold_a_restart_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_DRAIN_S", 0.01)
    monkeypatch.setattr(module, "_UP_S", 0.01)
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        held(farm)
        farm.infer(b"ab")
        await until(farm.pool.open_flights)
        with pytest.raises(UnreachableError, match="no other one is up"):
            await restarts(farm).restart("a")
        assert farm.pool.replaced


async def test_a_restart_that_nobody_waits_for_is_given_up_while_nothing_has_happened() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        held(farm)
        caller = farm.infer(b"ab")
        await until(farm.pool.open_flights)
        restarting = asyncio.ensure_future(restarts(farm).restart("a"))
        await asyncio.sleep(0)
        restarting.cancel()
        farm.pool.open_flights()[0].finish()
        await asyncio.wait_for(caller, WAIT_S)
        later = farm.infer(b"cd")
        await until(farm.pool.open_flights)
        farm.pool.open_flights()[0].finish()
        assert (await asyncio.wait_for(later, WAIT_S)).receipt.node_id == "a"
        assert farm.pool.replaced == []


async def test_a_restart_is_told_as_such_and_not_as_a_cordon_or_a_loss() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        held(farm)
        seen = [farm.snapshots.take()]

        def looked(state: NodeState) -> bool:
            seen.append(farm.snapshots.take())
            return seen[-1].nodes[0].state is state

        caller = farm.infer(b"ab")
        await until(farm.pool.open_flights)
        restarting = asyncio.ensure_future(restarts(farm).restart("a"))
        await until(lambda: looked(NodeState.CORDONED))
        with pytest.raises(InvalidRequestError, match="already"):
            await restarts(farm).restart("a")
        farm.pool.open_flights()[0].finish()
        await asyncio.wait_for(caller, WAIT_S)
        await until(lambda: farm.pool.replaced)
        farm.pool.kill("a")
        await until(lambda: looked(NodeState.JOINING))
        assert (seen[-1].nodes[0].vitals, seen[-1].nodes[0].power) == (None, None)
        farm.pool.start("a")
        await until(lambda: looked(NodeState.READY))
        beat(farm, "a")
        await restarting
        looked(NodeState.READY)
        told = [happening for pair in pairwise(seen) for happening in changes(*pair)]
        assert [(each.kind, each.detail) for each in told if each.subject == "a"] == [
            (EventKind.NODE_RESTARTING, "an operator restarts it"),
            (EventKind.NODE_JOINING, "an operator restarts it"),
            (EventKind.NODE_RESTARTED, "another process took its place"),
            (EventKind.NODE_READY, ""),
        ]


async def test_a_node_that_is_not_there() -> None:
    async with LittleFarm("a") as farm:
        with pytest.raises(NodeLostError, match="trying to start it already"):
            await restarts(farm).restart("a")
        with pytest.raises(InvalidRequestError, match="it has a"):
            await restarts(farm).restart("pi-99")
