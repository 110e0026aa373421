"""Curves are measured once a model serves, host by host."""

import asyncio
from dataclasses import replace

from little_farm import (
    LittleFarm,
    artifact,
    lies,
    until,
)

from farm.core.models import LatencyCurve
from farm.engine.curves import Curves


async def test_curves_are_measured_once_a_model_serves() -> None:
    flat = LatencyCurve(((1, 0.01), (8, 0.08)))
    async with LittleFarm("a", "b") as farm:
        for node in farm.pool.nodes.values():
            node.curve = flat
        await farm.start_nodes()
        measuring = asyncio.create_task(Curves(pool=farm.pool, fleet=farm.fleet).run())
        digest = artifact().digest
        await until(lambda: all(m.ready[digest] == flat for m in farm.fleet.ready_members()))
        lies(farm, artifact("fresh"))
        await farm.control.load("fresh")
        fresh = artifact("fresh").digest
        await until(lambda: all(m.ready[fresh] == flat for m in farm.fleet.ready_members()))
        assert [sorted(n.measured) for n in farm.pool.nodes.values()] == [[digest, fresh]] * 2
        measuring.cancel()


async def test_a_slow_host_does_not_hold_up_the_others_curves() -> None:
    flat = LatencyCurve(((1, 0.01),))
    async with LittleFarm("a", "b") as farm:
        farm.pool.nodes["a"].may_measure.clear()
        farm.pool.nodes["b"].curve = flat
        farm.pool.start("a")
        await until(farm.fleet.any_ready)
        measuring = asyncio.create_task(Curves(pool=farm.pool, fleet=farm.fleet).run())
        await until(lambda: farm.pool.nodes["a"].measured)
        farm.pool.start("b")
        await until(lambda: farm.fleet.members["b"].ready.get(artifact().digest) == flat)
        measuring.cancel()


async def test_the_curve_of_an_actor_that_is_gone_is_not_its_successors() -> None:
    steep = LatencyCurve(((1, 9.0),))
    async with LittleFarm("a") as farm:
        node = farm.pool.nodes["a"]
        node.curve = steep
        node.may_measure.clear()
        await farm.start_nodes()
        measuring = asyncio.create_task(Curves(pool=farm.pool, fleet=farm.fleet).run())
        await until(lambda: node.measured)
        node.curve = None
        farm.pool.kill("a")
        farm.pool.start("a")
        await until(lambda: farm.fleet.members["a"].incarnation == "a-2")
        await until(farm.fleet.any_ready)
        node.may_measure.set()
        await until(lambda: len(node.measured) == 2)
        assert farm.fleet.members["a"].ready == {artifact().digest: None}
        measuring.cancel()


async def test_new_settings_of_the_same_files_are_measured_anew() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        node = farm.pool.nodes["a"]
        measuring = asyncio.create_task(Curves(pool=farm.pool, fleet=farm.fleet).run())
        await until(lambda: len(node.measured) == 1)
        lies(farm, replace(artifact(), max_batch_size=4))
        await farm.control.load("echo")
        await until(lambda: len(node.measured) == 2)
        measuring.cancel()
