"""Loads and nodes that come, go, refuse or have no room."""

import asyncio
from dataclasses import replace

import pytest
from fake_pool import REPORT
from little_farm import (
    WAIT_S,
    LittleFarm,
    artifact,
    available,
    changed,
    lies,
    served,
    until,
)

from farm.core.errors import (
    LoadFailedError,
    ModelUnavailableError,
)
from farm.core.tensors import Datatype, TensorSpec
from farm.repository.listing import ModelListing
from farm.repository.model_config import ModelSettings
from farm.repository.repository import Wish


async def test_a_new_model_is_loaded_on_every_node() -> None:
    async with LittleFarm("a", "b") as farm:
        await farm.start_nodes()
        lies(farm, artifact("fresh"))
        await farm.control.load("fresh")
        assert served(farm, "fresh") == {1: "digest of fresh:1"}
        assert all("digest of fresh:1" in node.held for node in farm.pool.nodes.values())
        assert (await farm.infer(b"ab", model="fresh")).outputs[0].raw == b"ab"
        assert farm.repository.wishes == {"fresh": Wish(loaded=True, override=None)}


async def test_a_reload_switches_every_node_at_once_and_drops_the_old_files() -> None:
    async with LittleFarm("a", "b") as farm:
        await farm.start_nodes()
        lies(farm, changed(artifact()))
        await farm.control.load("echo")
        assert served(farm) == {1: "new digest of echo:1"}
        assert (await farm.infer()).receipt.digest == "new digest of echo:1"
        assert all(node.held == {"new digest of echo:1"} for node in farm.pool.nodes.values())


async def test_one_node_that_refuses_leaves_everything_as_it_was() -> None:
    async with LittleFarm("a", "b") as farm:
        await farm.start_nodes()
        lies(farm, changed(artifact()))
        farm.pool.nodes["b"].reports["echo"] = ModelUnavailableError("a golden differs")
        with pytest.raises(LoadFailedError, match="a golden differs; what was served before"):
            await farm.control.load("echo")
        assert served(farm) == {1: "digest of echo:1"}
        assert (await farm.infer()).receipt.digest == "digest of echo:1"
        assert all(node.held == {"digest of echo:1"} for node in farm.pool.nodes.values())
        assert farm.repository.wishes == {}
        (model,) = farm.snapshots.take().models
        assert "the last load failed: a golden differs" in model.reason


async def test_a_model_that_contradicts_its_config_is_taken_off_the_nodes_again() -> None:
    declared = TensorSpec(name="x", datatype=Datatype.FP32, shape=(-1, 2))
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        farm.repository.listings["fresh"] = ModelListing(
            name="fresh",
            available=(available(artifact("fresh"), ModelSettings(inputs=(declared,))),),
        )
        with pytest.raises(LoadFailedError, match="as FP32"):
            await farm.control.load("fresh")
        assert farm.pool.nodes["a"].prepared == ["echo:1", "fresh:1"]
        assert farm.pool.nodes["a"].held == {"digest of echo:1"}
        assert farm.repository.kept["fresh"] == set()
        with pytest.raises(ModelUnavailableError, match="as FP32"):
            await farm.infer(model="fresh")


async def test_a_node_whose_death_nobody_reported_does_not_fail_a_load() -> None:
    async with LittleFarm("a", "b") as farm:
        await farm.start_nodes()
        lies(farm, artifact("fresh"))
        farm.pool.nodes["b"].dead = True
        await farm.control.load("fresh")
        assert farm.fleet.ready_nodes("digest of fresh:1") == ("a",)


async def test_a_node_that_comes_up_while_the_wish_is_written_gets_the_files() -> None:
    async with LittleFarm("a", "b") as farm:
        farm.pool.start("a")
        await until(farm.fleet.any_ready)
        lies(farm, changed(artifact()))
        loop = asyncio.get_running_loop()

        def come_up(_: Wish | None) -> None:
            loop.call_soon_threadsafe(farm.pool.start, "b")
            joined = asyncio.run_coroutine_threadsafe(
                until(lambda: len(farm.fleet.ready_members()) == 2), loop
            )
            joined.result(WAIT_S)

        farm.repository.on_record = come_up
        await farm.control.load("echo")
        assert all("new digest of echo:1" in node.held for node in farm.pool.nodes.values())
        assert len(farm.fleet.ready_nodes("new digest of echo:1")) == 2


async def test_a_node_that_joins_drops_what_was_unloaded_meanwhile_and_nobody_else_does() -> None:
    async with LittleFarm("a", "b", models=(artifact(), artifact("other"))) as farm:
        farm.pool.start("a")
        await until(farm.fleet.any_ready)
        farm.pool.nodes["b"].may_prepare.clear()
        farm.pool.start("b")
        await until(lambda: farm.pool.nodes["b"].busy)
        await farm.control.unload("echo")
        farm.pool.nodes["b"].may_prepare.set()
        await until(lambda: len(farm.fleet.ready_members()) == 2)
        await until(lambda: farm.pool.nodes["b"].held == {"digest of other:1"})
        assert farm.pool.nodes["a"].held == {"digest of other:1"}


async def test_a_defect_while_a_node_joins_is_not_silent() -> None:
    async with LittleFarm("a") as farm:
        farm.catalog.qualified = lambda *_: 1 / 0  # type: ignore[assignment, return-value]
        farm.pool.start("a")
        await asyncio.wait_for(farm.engine.broken.wait(), WAIT_S)


async def test_a_node_that_is_lost_on_the_way_does_not_count() -> None:
    async with LittleFarm("a", "b") as farm:
        await farm.start_nodes()
        lies(farm, changed(artifact()))
        farm.pool.nodes["b"].may_prepare.clear()
        loading = asyncio.create_task(farm.control.load("echo"))
        await until(lambda: "new digest of echo:1" in farm.pool.nodes["a"].held)
        farm.pool.kill("b")
        farm.pool.nodes["b"].may_prepare.set()
        await loading
        assert (await farm.infer()).receipt.digest == "new digest of echo:1"
        farm.pool.start("b")
        await until(lambda: len(farm.fleet.ready_members()) == 2)
        assert farm.pool.nodes["b"].held == {"new digest of echo:1"}


async def test_a_node_that_joins_meanwhile_gets_the_new_files_too() -> None:
    async with LittleFarm("a", "b") as farm:
        farm.pool.start("a")
        await until(farm.fleet.any_ready)
        lies(farm, changed(artifact()))
        farm.pool.nodes["a"].may_prepare.clear()
        loading = asyncio.create_task(farm.control.load("echo"))
        farm.pool.start("b")
        await until(lambda: len(farm.fleet.ready_members()) == 2)
        farm.pool.nodes["a"].may_prepare.set()
        await loading
        assert all(node.held == {"new digest of echo:1"} for node in farm.pool.nodes.values())


async def test_a_node_without_room_is_passed_over_in_words() -> None:
    async with LittleFarm("a", "b") as farm:
        await farm.start_nodes()
        vitals = farm.vitals("b", memory_available_bytes=10 << 20)
        farm.pool.beat("b", vitals)
        await until(lambda: farm.fleet.members["b"].vitals == vitals)
        large = artifact("large")
        lies(farm, replace(large, files=(replace(large.files[0], size_bytes=8 << 20),)))
        await farm.control.load("large")
        assert farm.fleet.ready_nodes(large.digest) == ("a",)
        nodes = {n.node_id: n for n in farm.descriptions.describe("large", "")[0].nodes}
        assert nodes["a"].ready
        assert "10 MiB of memory left" in nodes["b"].reason


async def test_a_model_that_no_node_can_hold_is_not_loaded() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        farm.pool.beat("a", farm.vitals("a", memory_available_bytes=0))
        await until(lambda: farm.fleet.members["a"].vitals is not None)
        large = artifact("large")
        lies(farm, replace(large, files=(replace(large.files[0], size_bytes=8 << 20),)))
        with pytest.raises(LoadFailedError, match="no node can hold version 1: opening it takes"):
            await farm.control.load("large")


async def test_a_node_short_of_memory_keeps_what_it_holds() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        farm.pool.beat("a", farm.vitals("a", memory_available_bytes=0))
        await until(lambda: farm.fleet.members["a"].vitals is not None)
        lies(farm, replace(artifact(), max_batch_size=4))
        await farm.control.load("echo")
        assert served(farm) == {1: "digest of echo:1"}


async def test_the_most_cautious_node_bounds_the_batch() -> None:
    async with LittleFarm("a", "b") as farm:
        await farm.start_nodes()
        lies(farm, artifact("fresh"))
        farm.pool.nodes["b"].reports["fresh"] = replace(
            REPORT, max_batch_size=1, batching_reason="rows depend on each other"
        )
        await farm.control.load("fresh")
        (description,) = farm.descriptions.describe("fresh", "")
        assert description.snapshot.max_batch_size == 1
        assert description.snapshot.batching_reason == "rows depend on each other"
