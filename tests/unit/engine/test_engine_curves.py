"""Curves are measured once a model serves, by one node of a class, and kept."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from fake_pool import REPORT
from little_farm import (
    LittleFarm,
    artifact,
    available,
    lies,
    until,
)

from farm.core.errors import ExecutionFailedError, ModelUnavailableError
from farm.core.models import LatencyCurve, Objective
from farm.repository.listing import ModelListing
from farm.repository.model_config import ModelSettings

FLAT = LatencyCurve(((1, 0.01), (8, 0.08)))
# Of a Pi with four cores, by threads.
ONE, FOUR = LatencyCurve(((1, 0.016),), 1), LatencyCurve(((1, 0.010),), 4)


@asynccontextmanager
async def measuring(farm: LittleFarm) -> AsyncIterator[None]:
    task = asyncio.create_task(farm.curves.run())
    try:
        yield
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def curve_at(farm: LittleFarm, node_id: str, name: str = "echo") -> LatencyCurve | None:
    return farm.fleet.members[node_id].ready.get(artifact(name).digest)


def make_pis(farm: LittleFarm) -> None:
    """Make every node one of a class with four cores."""
    for node in farm.pool.nodes.values():
        node.board, node.slots, node.splits, node.curves = "Pi 5", 4, (1, 4), (ONE, FOUR)


def cut_short(folder: Path) -> None:
    (path,) = folder.iterdir()
    path.write_bytes(path.read_bytes()[:-9])


async def test_curves_are_measured_once_a_model_serves() -> None:
    async with LittleFarm("a", "b") as farm:
        for node in farm.pool.nodes.values():
            node.curves = (FLAT,)
        await farm.start_nodes()
        async with measuring(farm):
            await until(lambda: curve_at(farm, "a") == curve_at(farm, "b") == FLAT)
            lies(farm, artifact("fresh"))
            await farm.control.load("fresh")
            await until(lambda: all(curve_at(farm, node, "fresh") == FLAT for node in "ab"))
        digests = [artifact().digest, artifact("fresh").digest]
        assert [sorted(n.measured) for n in farm.pool.nodes.values()] == [digests] * 2


async def test_a_slow_host_does_not_hold_up_the_others_curves() -> None:
    async with LittleFarm("a", "b") as farm:
        farm.pool.nodes["a"].may_measure.clear()
        farm.pool.nodes["b"].curves = (FLAT,)
        farm.pool.start("a")
        await until(farm.fleet.any_ready)
        async with measuring(farm):
            await until(lambda: farm.pool.nodes["a"].measured)
            farm.pool.start("b")
            await until(lambda: curve_at(farm, "b") == FLAT)


async def test_one_node_of_a_class_measures_for_all() -> None:
    async with LittleFarm("a", "b", "c") as farm:
        make_pis(farm)
        farm.pool.nodes["c"].board = "Pi 4"
        await farm.start_nodes()
        async with measuring(farm):
            await until(lambda: all(curve_at(farm, node) == ONE for node in "abc"))
        counts = {node.node_id: len(node.measured) for node in farm.pool.nodes.values()}
        assert sorted((counts["a"], counts["b"])) == [0, 1]
        assert counts["c"] == 1


async def test_what_a_throttled_node_measures_is_kept_as_at_its_full_clock() -> None:
    async with LittleFarm("a") as farm:
        farm.pool.nodes["a"].curves = (FLAT,)
        await farm.start_nodes()
        vitals = farm.vitals("a", memory_available_bytes=1 << 30)
        farm.fleet.members["a"].vitals = replace(vitals, speed=0.5)
        async with measuring(farm):
            await until(lambda: curve_at(farm, "a"))
        assert curve_at(farm, "a") == LatencyCurve(((1, 0.005), (8, 0.04)))


async def test_hosts_of_a_class_measure_different_models_at_once() -> None:
    async with LittleFarm("a", "b", models=[artifact(), artifact("other")]) as farm:
        make_pis(farm)
        for node in farm.pool.nodes.values():
            node.may_measure.clear()
        await farm.start_nodes()
        async with measuring(farm):
            a, b = farm.pool.nodes.values()
            await until(lambda: a.measured and b.measured)
            assert a.measured != b.measured
            a.may_measure.set()
            b.may_measure.set()
            await until(
                lambda: all(curve_at(farm, n, m) == ONE for n in "ab" for m in ("echo", "other"))
            )
            assert len(a.measured) == len(b.measured) == 1


async def test_another_node_measures_where_the_first_was_lost_or_failed() -> None:
    async with LittleFarm("a", "b") as farm:
        make_pis(farm)
        a, b = farm.pool.nodes.values()
        a.measure_error = ExecutionFailedError("a loose cable")
        await farm.start_nodes()
        async with measuring(farm):
            await until(lambda: curve_at(farm, "b") == ONE)
        assert (a.measured, b.measured) == ([artifact().digest], [artifact().digest])


async def test_the_curve_of_an_actor_that_is_gone_is_not_its_successors() -> None:
    async with LittleFarm("a") as farm:
        node = farm.pool.nodes["a"]
        node.curves = (LatencyCurve(((1, 9.0),)),)
        node.may_measure.clear()
        await farm.start_nodes()
        async with measuring(farm):
            await until(lambda: node.measured)
            farm.pool.kill("a")
            # It comes back with more cores.
            node.slots, node.curves = 2, ()
            farm.pool.start("a")
            await until(lambda: farm.fleet.members["a"].incarnation == "a-2")
            await until(farm.fleet.any_ready)
            node.may_measure.set()
            await until(lambda: len(node.measured) == 2)
            assert farm.fleet.members["a"].ready == {artifact().digest: None}


async def test_a_version_comes_between_two_splits_of_a_measurement() -> None:
    async with LittleFarm("a") as farm:
        make_pis(farm)
        node = farm.pool.nodes["a"]
        node.may_measure.clear()
        await farm.start_nodes()
        async with measuring(farm):
            await until(lambda: node.measurements)
            node.may_prepare.clear()
            lies(farm, artifact("fresh"))
            load = asyncio.create_task(farm.control.load("fresh"))
            await until(lambda: node.busy)
            node.may_measure.set()
            for _ in range(20):
                await asyncio.sleep(0)
            assert node.measurements == [(artifact().digest, 1)]
            node.may_prepare.set()
            await load
            await until(lambda: curve_at(farm, "a") == curve_at(farm, "a", "fresh") == ONE)
        assert node.measurements[1] == (artifact().digest, 4)


async def test_a_very_slow_model_is_not_measured_on_every_split() -> None:
    async with LittleFarm("a") as farm:
        make_pis(farm)
        node = farm.pool.nodes["a"]
        node.splits = (1, 2, 4)
        node.curves = (LatencyCurve(((1, 6.0),), 1), LatencyCurve(((1, 3.0),), 2), FOUR)
        await farm.start_nodes()
        async with measuring(farm):
            await until(lambda: curve_at(farm, "a"))
        assert [threads for _, threads in node.measurements] == [1, 2]
        (description,) = farm.descriptions.describe("echo", "")
        assert [split.curve.threads for split in description.nodes[0].splits] == [1, 2]


async def test_an_older_node_is_asked_once_for_all_that_it_measures() -> None:
    async with LittleFarm("a") as farm:
        node = farm.pool.nodes["a"]
        node.curves = (FLAT,)
        await farm.start_nodes()
        async with measuring(farm):
            await until(lambda: curve_at(farm, "a") == FLAT)
        assert node.measurements == [(artifact().digest, 0)]


async def test_larger_batches_of_the_same_files_are_measured_anew() -> None:
    async with LittleFarm("a") as farm:
        node = farm.pool.nodes["a"]
        node.curves = (FLAT,)
        await farm.start_nodes()
        async with measuring(farm):
            await until(lambda: len(node.measured) == 1)
            node.reports["echo"] = replace(REPORT, max_batch_size=4)
            lies(farm, replace(artifact(), max_batch_size=4))
            await farm.control.load("echo")
            await until(lambda: not farm.fleet.members["a"].unmeasured)
            assert len(node.measured) == 1
            node.reports["echo"] = replace(REPORT, max_batch_size=16)
            lies(farm, replace(artifact(), max_batch_size=16))
            await farm.control.load("echo")
            await until(lambda: len(node.measured) == 2)


async def test_a_node_that_joins_later_has_its_curves_before_it_has_traffic() -> None:
    async with LittleFarm("a", "b") as farm:
        make_pis(farm)
        farm.pool.start("a")
        await until(farm.fleet.any_ready)
        async with measuring(farm):
            await until(lambda: curve_at(farm, "a") == ONE)
        farm.pool.start("b")
        await until(lambda: len(farm.fleet.ready_members()) == 2)
        assert curve_at(farm, "b") == ONE
        assert farm.pool.nodes["b"].measured == []


async def test_a_restarted_gateway_measures_nothing(tmp_path: Path) -> None:
    for expected in ([artifact().digest], []):
        async with LittleFarm("a", curves_dir=tmp_path) as farm:
            make_pis(farm)
            await farm.start_nodes()
            async with measuring(farm):
                await until(lambda farm=farm: curve_at(farm, "a") == ONE)
            assert farm.pool.nodes["a"].measured == expected
            (node,) = farm.descriptions.describe("echo", "")[0].nodes
            assert node.measured is not None
            assert node.measured.stored is not bool(expected)


async def test_a_damaged_file_is_measured_anew_and_replaced(tmp_path: Path) -> None:
    for _ in range(2):
        async with LittleFarm("a", curves_dir=tmp_path) as farm:
            make_pis(farm)
            await farm.start_nodes()
            async with measuring(farm):
                await until(lambda farm=farm: curve_at(farm, "a") == ONE)
            assert farm.pool.nodes["a"].measured == [artifact().digest]
        cut_short(tmp_path)


async def test_a_model_runs_on_the_split_that_its_config_asks_for() -> None:
    async with LittleFarm("a") as farm:
        make_pis(farm)
        await farm.start_nodes()
        async with measuring(farm):
            await until(lambda: curve_at(farm, "a") == ONE)
            settings = ModelSettings(objective=Objective.LATENCY)
            farm.repository.listings["echo"] = ModelListing(
                name="echo", available=(available(artifact(), settings),)
            )
            await farm.control.load("echo")
            await until(lambda: curve_at(farm, "a") == FOUR)
            await farm.infer()
            assert farm.pool.flights[-1].batch.threads == 4
        assert len(farm.pool.nodes["a"].measured) == 1
        (description,) = farm.descriptions.describe("echo", "")
        assert description.objective is Objective.LATENCY
        (node,) = description.nodes
        assert node.curve == FOUR
        assert [(split.slots, split.curve) for split in node.splits] == [(4, ONE), (1, FOUR)]
        assert (node.correction, node.speed) == (1.0, None)


async def test_a_model_is_measured_again_on_one_node_of_every_class(tmp_path: Path) -> None:
    async with LittleFarm("a", "b", "c", curves_dir=tmp_path) as farm:
        make_pis(farm)
        farm.pool.nodes["c"].board = "Pi 4"
        await farm.start_nodes()
        async with measuring(farm):
            await until(lambda: all(curve_at(farm, node) == ONE for node in "abc"))
            slower = LatencyCurve(((1, 0.03),), 1)
            for node in farm.pool.nodes.values():
                node.measured, node.curves = [], (slower, FOUR)
            (description,) = await farm.descriptions.measure("echo", "")
            assert all(node.curve == slower for node in description.nodes)
            counts = {node.node_id: len(node.measured) for node in farm.pool.nodes.values()}
            assert (counts["a"] + counts["b"], counts["c"]) == (1, 1)


async def test_a_measurement_that_fails_keeps_the_curves_and_says_why() -> None:
    async with LittleFarm("a") as farm:
        make_pis(farm)
        await farm.start_nodes()
        async with measuring(farm):
            await until(lambda: curve_at(farm, "a") == ONE)
            node = farm.pool.nodes["a"]
            node.measure_error = ModelUnavailableError("it crashed")
            with pytest.raises(ModelUnavailableError, match="could not be measured: it crashed"):
                await farm.descriptions.measure("echo", "")
            assert curve_at(farm, "a") == ONE
            node.measure_error, node.curves = None, ()
            with pytest.raises(ModelUnavailableError, match="sample rows do not run on it"):
                await farm.descriptions.measure("echo", "")


async def test_what_no_node_serves_cannot_be_measured() -> None:
    async with LittleFarm("a", models=[artifact(), artifact("other")]) as farm:
        farm.pool.nodes["a"].reports["echo"] = ModelUnavailableError("no")
        await farm.start_nodes()
        async with measuring(farm):
            with pytest.raises(ModelUnavailableError, match="not served now"):
                await farm.descriptions.measure("echo", "")


async def test_a_lost_node_ends_the_wait_for_its_measurement() -> None:
    async with LittleFarm("a") as farm:
        make_pis(farm)
        await farm.start_nodes()
        async with measuring(farm):
            await until(lambda: curve_at(farm, "a") == ONE)
            farm.pool.nodes["a"].dead = True
            with pytest.raises(ModelUnavailableError, match="went away"):
                await farm.descriptions.measure("echo", "")
