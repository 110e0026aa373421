"""Nodes come and go: each holds its models before it gets traffic."""

import asyncio
from dataclasses import replace

import pytest
from fake_pool import REPORT
from little_farm import WAIT_S, LittleFarm, artifact, until

from farm.core.errors import (
    FarmError,
    IntegrityError,
    InternalError,
    ModelNotFoundError,
    ModelUnavailableError,
)
from farm.core.models import LatencyCurve, ModelKey, ModelState
from farm.core.nodes import NodeState, NodeVitals
from farm.core.snapshots import GatewayState, ModelSnapshot
from farm.engine import fleet
from farm.repository.listing import ModelListing, RefusedVersion

VITALS = NodeVitals(
    incarnation="a-1", slots_busy=0, cpu_fraction=0.5, memory_total_bytes=8,
    memory_available_bytes=4, temperature_c=None, clock_hz=None, batches_total=0, rows_total=0,
    failures_total=0, digests=(),
)  # fmt: skip


def states(farm: LittleFarm) -> dict[str, NodeState]:
    return {node.node_id: node.state for node in farm.snapshots.take().nodes}


def model_snapshot(farm: LittleFarm, key: str = "echo:1") -> ModelSnapshot:
    (found,) = [model for model in farm.snapshots.take().models if str(model.key) == key]
    return found


async def test_a_farm_serves_when_its_first_node_holds_the_models() -> None:
    async with LittleFarm("a", "b") as farm:
        assert states(farm) == {"a": NodeState.JOINING, "b": NodeState.JOINING}
        assert not farm.dataplane.serving()
        assert not farm.dataplane.model_ready("echo", "")
        assert model_snapshot(farm).state is ModelState.LOADING
        farm.pool.nodes["a"].may_prepare.clear()
        farm.pool.start("a")
        await until(lambda: farm.fleet.members["a"].profile is not None)
        assert not farm.dataplane.serving()
        with pytest.raises(ModelUnavailableError, match="still being loaded") as caught:
            await farm.infer()
        assert caught.value.retry_after_s is not None
        farm.pool.nodes["a"].may_prepare.set()
        await until(farm.dataplane.serving)
        assert farm.dataplane.model_ready("echo", "1")
        assert (await farm.infer()).receipt.node_id == "a"
        assert states(farm) == {"a": NodeState.READY, "b": NodeState.JOINING}
        seen = model_snapshot(farm)
        assert (seen.state, seen.ready_nodes, seen.max_batch_size) == (ModelState.READY, ("a",), 8)
        assert (seen.requests_total, seen.failures_total) == (1, 0)


async def test_before_it_serves_a_farm_is_not_ready() -> None:
    async with LittleFarm("a") as farm:
        farm.dataplane.state = GatewayState.STARTING
        await farm.start_nodes()
        assert not farm.dataplane.serving()


async def test_settled_waits_for_every_node() -> None:
    async with LittleFarm("a", "b") as farm:
        settled = asyncio.create_task(farm.fleet.settled())
        farm.pool.start("a")
        await until(lambda: states(farm)["a"] is NodeState.READY)
        assert not settled.done()
        farm.pool.kill("b", "its actor did not start")
        await asyncio.wait_for(settled, WAIT_S)
        assert states(farm) == {"a": NodeState.READY, "b": NodeState.LOST}


async def test_some_ready_waits_for_the_first_node() -> None:
    async with LittleFarm("a", "b") as farm:
        some = asyncio.create_task(farm.fleet.some_ready())
        await asyncio.sleep(0)
        assert not some.done()
        farm.pool.start("a")
        await asyncio.wait_for(some, WAIT_S)
        assert states(farm) == {"a": NodeState.READY, "b": NodeState.JOINING}


async def test_a_lost_node_gets_nothing_and_says_why() -> None:
    async with LittleFarm("a", "b") as farm:
        await farm.start_nodes()
        farm.pool.kill("a", "no heartbeat for 5 s")
        await until(lambda: states(farm)["a"] is NodeState.LOST)
        (lost,) = [n for n in farm.snapshots.take().nodes if n.node_id == "a"]
        assert lost.reason == "no heartbeat for 5 s"
        assert model_snapshot(farm).ready_nodes == ("b",)
        results = await asyncio.gather(*(farm.infer() for _ in range(20)))
        assert {r.receipt.node_id for r in results} == {"b"}


async def test_a_farm_without_nodes_is_not_serving() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        farm.pool.kill("a")
        await until(lambda: not farm.dataplane.serving())
        with pytest.raises(ModelUnavailableError, match="no node that holds it is up"):
            await farm.infer()


async def test_requests_wait_for_a_node_to_return() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        farm.pool.nodes["a"].auto = False
        caller = farm.infer(b"11")
        await until(farm.pool.open_flights)
        farm.pool.kill("a")
        await until(lambda: states(farm)["a"] is NodeState.LOST)
        farm.pool.nodes["a"].auto = True
        farm.pool.start("a")
        answered = await asyncio.wait_for(caller, WAIT_S)
        assert (answered.outputs[0].raw, answered.receipt.attempts) == (b"11", 2)


async def test_a_node_that_returns_is_given_its_models_before_traffic() -> None:
    async with LittleFarm("a", "b", models=[artifact(), artifact("other")]) as farm:
        await farm.start_nodes()
        assert farm.pool.nodes["a"].prepared == ["echo:1", "other:1"]
        farm.pool.kill("a")
        farm.pool.nodes["a"].may_prepare.clear()
        farm.pool.start("a")
        await until(lambda: states(farm)["a"] is NodeState.JOINING)
        results = await asyncio.gather(*(farm.infer() for _ in range(20)))
        assert {r.receipt.node_id for r in results} == {"b"}
        assert farm.pool.nodes["a"].prepared == []
        farm.pool.nodes["a"].may_prepare.set()
        await until(lambda: states(farm)["a"] is NodeState.READY)
        assert farm.pool.nodes["a"].prepared == ["echo:1", "other:1"]
        farm.pool.kill("b")
        assert (await farm.infer()).receipt.node_id == "a"


async def test_a_node_that_dies_while_it_is_prepared_never_joins() -> None:
    async with LittleFarm("a", "b") as farm:
        farm.pool.nodes["a"].may_prepare.clear()
        farm.pool.start("b")
        farm.pool.start("a")
        await until(lambda: states(farm)["b"] is NodeState.READY)
        farm.pool.kill("a")
        await until(lambda: states(farm)["a"] is NodeState.LOST)
        farm.pool.nodes["a"].may_prepare.set()
        results = await asyncio.gather(*(farm.infer() for _ in range(10)))
        assert {r.receipt.node_id for r in results} == {"b"}
        assert states(farm)["a"] is NodeState.LOST


async def test_a_node_that_joins_does_not_bring_back_what_is_being_unloaded() -> None:
    first, second = ModelKey("echo", 1), ModelKey("echo", 2)
    async with LittleFarm("a", "b", models=[artifact(), artifact(version=2)]) as farm:
        farm.pool.start("a")
        await until(farm.fleet.any_ready)
        farm.pool.nodes["a"].auto = False
        last = farm.infer(version="2")
        await until(farm.pool.open_flights)
        farm.pool.nodes["b"].may_prepare.clear()
        farm.pool.start("b")
        await until(lambda: farm.fleet.members["b"].profile is not None)
        unloading = asyncio.create_task(farm.control.unload("echo"))
        await until(lambda: not farm.machine.serves(first))
        assert farm.machine.serves(second)
        farm.pool.nodes["b"].may_prepare.set()
        await until(lambda: "echo:1" in farm.pool.nodes["b"].prepared)
        farm.pool.open_flights()[0].finish()
        await asyncio.wait_for(unloading, WAIT_S)
        await asyncio.wait_for(last, WAIT_S)
        await until(lambda: farm.fleet.members["b"].state is NodeState.READY)
        assert not farm.machine.serves(first)
        assert not farm.machine.serves(second)


async def test_a_restart_during_preparation_begins_it_anew() -> None:
    async with LittleFarm("a") as farm:
        farm.pool.nodes["a"].may_prepare.clear()
        farm.pool.start("a")
        farm.pool.start("a")
        farm.pool.nodes["a"].may_prepare.set()
        await until(lambda: states(farm)["a"] is NodeState.READY)
        assert farm.pool.nodes["a"].prepared == ["echo:1"]
        (node,) = farm.snapshots.take().nodes
        assert node.profile is not None
        assert node.profile.incarnation == "a-2"


async def test_what_a_nodes_last_incarnation_could_run_says_nothing_of_the_next() -> None:
    async with LittleFarm("a", "b") as farm:
        await farm.start_nodes()
        farm.pool.nodes["a"].reports["echo"] = ModelUnavailableError("it no longer fits")
        farm.pool.start("a")
        await until(lambda: states(farm)["a"] is NodeState.JOINING)
        await until(lambda: states(farm)["a"] is NodeState.READY)
        assert model_snapshot(farm).ready_nodes == ("b",)
        results = await asyncio.gather(*(farm.infer() for _ in range(20)))
        assert {r.receipt.node_id for r in results} == {"b"}


async def test_a_heartbeat_is_shown_with_its_age() -> None:
    async with LittleFarm("a", "b") as farm:
        farm.pool.start("a")
        farm.pool.beat("a", VITALS)
        await until(lambda: farm.fleet.members["a"].vitals is not None)
        a, b = farm.snapshots.take().nodes
        assert a.vitals == VITALS
        assert a.heartbeat_age_s is not None
        assert 0 <= a.heartbeat_age_s < WAIT_S
        assert (b.vitals, b.heartbeat_age_s) == (None, None)


# -- models ---------------------------------------------------------------------------


async def test_a_refused_model_says_why_while_others_serve() -> None:
    async with LittleFarm("a", models=[artifact("bad"), artifact()]) as farm:
        farm.pool.nodes["a"].reports["bad"] = ModelUnavailableError("golden 'g.npz' differs")
        await farm.start_nodes()
        assert (await farm.infer()).outputs[0].raw == b"ab"
        with pytest.raises(ModelUnavailableError, match=r"'bad' version 1.*'g.npz'") as caught:
            await farm.infer(model="bad")
        assert caught.value.retry_after_s is None
        assert not farm.dataplane.model_ready("bad", "")
        assert farm.dataplane.serving()
        seen = model_snapshot(farm, "bad:1")
        assert (seen.state, seen.reason) == (ModelState.UNAVAILABLE, "golden 'g.npz' differs")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (IntegrityError("file 'model.onnx' is damaged"), "file 'model.onnx' is damaged"),
        (InternalError("something"), "node 'a' could not load it: something"),
    ],
)
async def test_whatever_keeps_a_model_from_a_node_is_told(error: FarmError, words: str) -> None:
    async with LittleFarm("a") as farm:
        farm.pool.nodes["a"].reports["echo"] = error
        await farm.start_nodes()
        assert model_snapshot(farm).reason == words


async def test_what_a_node_could_not_take_for_its_own_fault_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fleet, "_FIRST_PAUSE_S", 0.001)
    async with LittleFarm("a", "b", models=[artifact(), artifact("bad")]) as farm:
        node = farm.pool.nodes["a"]
        node.reports["echo"] = InternalError("the node's disk is full")
        node.reports["bad"] = ModelUnavailableError("golden 'g.npz' differs")
        await farm.start_nodes()
        member = farm.fleet.members["a"]
        full = "node 'a' could not load it: the node's disk is full"
        assert set(member.refused.values()) == {full, "golden 'g.npz' differs"}
        assert model_snapshot(farm).ready_nodes == ("b",)
        node.reports["bad"] = REPORT
        del node.reports["echo"]
        await until(lambda: model_snapshot(farm).ready_nodes == ("a", "b"))
        # What is the model's fault is so the next time too.
        assert set(member.refused.values()) == {"golden 'g.npz' differs"}


async def test_a_model_that_a_node_has_lost_is_sent_again() -> None:
    async with LittleFarm("a", "b") as farm:
        await farm.start_nodes()
        node = farm.pool.nodes["a"]
        beat = replace(VITALS, incarnation=node.incarnation)
        node.held.clear()
        node.may_prepare.clear()
        farm.pool.beat("a", beat)
        await until(lambda: farm.fleet.members["a"].missed)
        # One heartbeat may be older than the model.
        assert model_snapshot(farm).ready_nodes == ("a", "b")
        farm.pool.beat("a", beat)
        await until(lambda: model_snapshot(farm).ready_nodes == ("b",))
        node.may_prepare.set()
        await until(lambda: model_snapshot(farm).ready_nodes == ("a", "b"))
        assert node.held
        assert (await farm.infer()).outputs[0].raw == b"ab"


async def test_a_model_that_is_unloaded_while_a_node_is_given_it_again_stays_away() -> None:
    async with LittleFarm("a", "b") as farm:
        await farm.start_nodes()
        node = farm.pool.nodes["a"]
        node.held.clear()
        node.may_prepare.clear()
        for _ in range(2):
            farm.pool.beat("a", replace(VITALS, incarnation=node.incarnation))
        await until(lambda: node.busy)
        unloading = asyncio.create_task(farm.control.unload("echo"))
        await asyncio.sleep(0)
        node.may_prepare.set()
        await asyncio.wait_for(unloading, WAIT_S)
        await until(lambda: not node.busy and not node.held)
        assert not farm.fleet.members["a"].ready


async def test_a_model_is_served_by_the_nodes_it_works_on() -> None:
    async with LittleFarm("a", "b") as farm:
        farm.pool.nodes["a"].reports["echo"] = ModelUnavailableError("too big")
        await farm.start_nodes()
        assert states(farm) == {"a": NodeState.READY, "b": NodeState.READY}
        assert model_snapshot(farm).ready_nodes == ("b",)
        results = await asyncio.gather(*(farm.infer() for _ in range(10)))
        assert {r.receipt.node_id for r in results} == {"b"}


@pytest.mark.parametrize("node_id", ["a", "b"])
async def test_the_most_cautious_node_bounds_the_batch(node_id: str) -> None:
    async with LittleFarm("a", "b") as farm:
        cautious = replace(REPORT, max_batch_size=1, batching_reason="rows depend")
        farm.pool.nodes[node_id].reports["echo"] = cautious
        await farm.start_nodes()
        seen = model_snapshot(farm)
        assert (seen.max_batch_size, seen.batching_reason) == (1, "rows depend")
        await asyncio.gather(*(farm.infer() for _ in range(20)))
        assert {flight.batch.rows for flight in farm.pool.flights} == {1}


async def test_batches_follow_the_measured_curve() -> None:
    # A batch of two takes as long as two of one: not worth it.
    flat = LatencyCurve(((1, 0.1), (8, 0.8)))
    async with LittleFarm("a") as farm:
        farm.pool.nodes["a"].curves = (flat,)
        await farm.start_nodes()
        measuring = asyncio.create_task(farm.curves.run())
        await until(lambda: farm.fleet.members["a"].ready[artifact().digest] == flat)
        # From the fourth batch on what they really took counts, and this node takes no time.
        await asyncio.gather(*(farm.infer() for _ in range(3)))
        assert [flight.batch.rows for flight in farm.pool.flights] == [1, 1, 1]
        measuring.cancel()


# -- versions -------------------------------------------------------------------------


THREE = [artifact(version=2), artifact(version=10), artifact(version=9)]


async def test_without_a_version_the_latest_ready_one_answers() -> None:
    async with LittleFarm("a", models=THREE) as farm:
        await farm.start_nodes()
        assert (await farm.infer()).model.version == 10
        assert (await farm.infer(version="2")).model.version == 2
        _, spec = farm.dataplane.served("echo", "")
        assert (spec.key.version, farm.dataplane.ready_versions("echo")) == (10, (2, 9, 10))


async def test_a_version_that_is_not_ready_is_passed_over() -> None:
    async with LittleFarm("a", models=THREE) as farm:
        farm.pool.nodes["a"].reports["echo:10"] = ModelUnavailableError("too new")
        await farm.start_nodes()
        assert (await farm.infer()).model.version == 9
        with pytest.raises(ModelUnavailableError, match="version 10 is not ready: too new"):
            await farm.infer(version="10")
        assert farm.dataplane.model_ready("echo", "")
        assert not farm.dataplane.model_ready("echo", "10")
        assert farm.dataplane.ready_versions("echo") == (2, 9)


@pytest.mark.parametrize("version", ["3", "latest", "1.0", "-2", " 2", "²", "٢", "2" * 30])
async def test_a_version_that_is_not_there_is_not_found(version: str) -> None:
    async with LittleFarm("a", models=THREE) as farm:
        await farm.start_nodes()
        with pytest.raises(ModelNotFoundError, match=r"'echo' has no version.*it has 2, 9, 10"):
            await farm.infer(version=version)
        assert not farm.dataplane.model_ready("echo", version)
        with pytest.raises(ModelNotFoundError):
            farm.dataplane.served("echo", version)


async def test_a_version_of_very_many_digits_is_not_found() -> None:
    async with LittleFarm("a", models=THREE) as farm:
        await farm.start_nodes()
        with pytest.raises(ModelNotFoundError):
            await farm.infer(version="9" * 5000)


async def test_models_that_the_repository_refused_say_why() -> None:
    async with LittleFarm("a") as farm:
        farm.catalog.put(
            ModelListing(
                name="linked",
                refused=(RefusedVersion(key=ModelKey("linked", 1), reason="model.onnx is a link"),),
            )
        )
        farm.catalog.put(ModelListing(name="empty", refusal="it has no version"))
        await farm.start_nodes()
        with pytest.raises(ModelUnavailableError, match=r"model.onnx is a link"):
            await farm.infer(model="linked")
        with pytest.raises(ModelUnavailableError, match="it has no version"):
            await farm.infer(model="empty")
        assert not farm.dataplane.model_ready("empty", "")
        assert not farm.dataplane.model_ready("other", "")
        with pytest.raises(ModelNotFoundError, match="no model 'other'"):
            farm.dataplane.served("other", "")
        seen = {
            str(model.key): (model.state, model.reason) for model in farm.snapshots.take().models
        }
        assert seen["linked:1"] == (ModelState.UNAVAILABLE, "model.onnx is a link")
        assert seen["empty:0"] == (ModelState.UNAVAILABLE, "it has no version")


async def test_a_defect_while_a_node_is_prepared_is_not_silent() -> None:
    async with LittleFarm("a") as farm:
        farm.pool.nodes["a"].reports["echo"] = ValueError("a report of another shape")
        farm.pool.start("a")
        try:
            await asyncio.wait_for(farm.fleet.settled(), 0.2)
        except TimeoutError:
            pytest.fail("the node is neither ready nor lost")
