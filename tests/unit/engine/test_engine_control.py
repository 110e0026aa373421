"""Loads and unloads while requests come in: all nodes or none, and nothing is lost."""

import asyncio
from dataclasses import replace

import pytest
from little_farm import (
    WAIT_S,
    LittleFarm,
    artifact,
    available,
    changed,
    lies,
    reason_of,
    served,
    until,
)

from farm.core.errors import (
    LoadFailedError,
    ModelNotFoundError,
    ModelUnavailableError,
)
from farm.core.models import ModelKey, ModelState
from farm.core.tensors import Datatype, TensorSpec
from farm.engine import retirement
from farm.repository.listing import ModelListing, RefusedVersion
from farm.repository.model_config import ModelSettings
from farm.repository.repository import Wish


async def test_a_defect_of_the_pool_fails_the_load_in_words() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        lies(farm, artifact("fresh"))
        farm.pool.nodes["a"].reports["fresh"] = RuntimeError("the secret")
        with pytest.raises(LoadFailedError, match="RuntimeError") as caught:
            await farm.control.load("fresh")
        assert "secret" not in caught.value.message


async def test_a_load_that_fails_after_its_wish_was_written_takes_the_wish_back() -> None:
    async with LittleFarm("a", "b") as farm:
        farm.pool.start("a")
        await until(farm.fleet.any_ready)
        before = Wish(loaded=True, override=None)
        farm.repository.wishes["echo"] = before
        lies(farm, changed(artifact()))
        loop = asyncio.get_running_loop()

        def come_up(wish: Wish | None) -> None:
            farm.repository.on_record = lambda _: None
            farm.pool.nodes["b"].reports["echo"] = ModelUnavailableError("it differs on b")
            farm.fleet.members["b"].refused.clear()
            loop.call_soon_threadsafe(farm.pool.start, "b")
            joined = asyncio.run_coroutine_threadsafe(
                until(lambda: len(farm.fleet.ready_members()) == 2), loop
            )
            joined.result(WAIT_S)

        farm.repository.on_record = come_up
        with pytest.raises(LoadFailedError, match="it differs on b"):
            await farm.control.load("echo", config="{}")
        assert farm.repository.wishes["echo"] is before
        assert served(farm) == {1: "digest of echo:1"}


async def test_a_version_that_the_policy_drops_is_retired() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        await farm.infer()
        lies(farm, artifact(version=2))
        await farm.control.load("echo")
        assert served(farm) == {2: "digest of echo:2"}
        assert farm.pool.nodes["a"].held == {"digest of echo:2"}
        assert farm.repository.kept["echo"] == {"digest of echo:2"}
        with pytest.raises(ModelNotFoundError, match="has no version '1'"):
            await farm.infer(version="1")
        assert farm.engine.statistics(ModelKey("echo", 1)).success.count == 0
        assert farm.notes.retired == [ModelKey("echo", 1)]
        assert [counts.model for counts in farm.snapshots.counts()] == [ModelKey("echo", 2)]


async def test_what_a_retired_version_answers_late_does_not_bring_its_counts_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retirement, "_TIMEOUT_S", 0.01)
    gone, stays = ModelKey("echo", 1), ModelKey("echo", 2)
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        farm.pool.nodes["a"].auto = False
        late = farm.infer()
        await until(farm.pool.open_flights)
        lies(farm, artifact(version=2))
        await farm.control.load("echo")
        await until(lambda: farm.notes.retired == [gone])
        farm.notes.finished.clear()
        farm.pool.open_flights()[0].finish()
        assert (await late).outputs[0].raw == b"ab"
        farm.pool.nodes["a"].auto = True
        await farm.infer()
        assert {model for model, *_ in farm.notes.finished} == {stays}
        assert {entry.model for entry in farm.notes.settled} == {stays}
        assert farm.engine.statistics(gone).success.count == 0
        assert farm.engine.statistics(stays).success.count == 1


async def test_an_unload_does_not_refuse_what_came_in_the_same_turn() -> None:
    for _ in range(20):
        async with LittleFarm("a") as farm:
            await farm.start_nodes()
            asking = farm.infer()
            unloading = asyncio.create_task(farm.control.unload("echo"))
            await asyncio.sleep(0)
            late = farm.infer()
            await unloading
            assert (await asking).outputs[0].raw == b"ab"
            outcome = (await asyncio.gather(late, return_exceptions=True))[0]
            if isinstance(outcome, BaseException):
                assert "being unloaded" in str(outcome) or "load it again" in str(outcome)


async def test_an_unload_waits_for_its_own_batches_alone() -> None:
    twin = replace(artifact("twin"), digest=artifact().digest)
    async with LittleFarm("a", models=(artifact(), twin)) as farm:
        await farm.start_nodes()
        farm.pool.nodes["a"].auto = False
        waiting = farm.infer()
        await until(farm.pool.open_flights)
        await asyncio.wait_for(farm.control.unload("twin"), 1.0)
        farm.pool.open_flights()[0].finish()
        await waiting


async def test_files_that_a_load_still_distributes_stay_although_a_twin_goes() -> None:
    twin = replace(artifact("twin"), digest=artifact().digest)
    async with LittleFarm("a", "b", models=(twin,)) as farm:
        await farm.start_nodes()
        lies(farm, artifact())
        farm.pool.nodes["b"].may_prepare.clear()
        loading = asyncio.create_task(farm.control.load("echo"))
        await until(lambda: "echo:1" in farm.pool.nodes["a"].prepared)
        await farm.control.unload("twin")
        farm.pool.nodes["b"].may_prepare.set()
        await loading
        assert all(node.held == {"digest of echo:1"} for node in farm.pool.nodes.values())
        assert len(farm.fleet.ready_nodes("digest of echo:1")) == 2


async def test_versions_stand_side_by_side_and_the_newest_is_the_default() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        lies(farm, artifact(version=1), artifact(version=2))
        await farm.control.load("echo")
        assert served(farm) == {1: "digest of echo:1", 2: "digest of echo:2"}
        assert (await farm.infer()).model == ModelKey("echo", 2)
        assert (await farm.infer(version="1")).model == ModelKey("echo", 1)
        assert (await farm.infer(abi="<2")).model == ModelKey("echo", 1)
        with pytest.raises(ModelNotFoundError, match="ABI in '>3'"):
            await farm.infer(abi=">3")


async def test_a_range_falls_back_to_the_newest_version_that_is_ready() -> None:
    async with LittleFarm("a", models=(artifact(version=1), artifact(version=2))) as farm:
        farm.pool.nodes["a"].reports["echo:2"] = ModelUnavailableError("it is too new")
        await farm.start_nodes()
        assert (await farm.infer(abi=">=1")).model == ModelKey("echo", 1)
        with pytest.raises(ModelUnavailableError, match="it is too new"):
            await farm.infer(abi=">=2")


async def test_requests_in_the_queue_survive_a_reload() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        farm.pool.nodes["a"].auto = False
        waiting = [farm.infer(bytes([n, n])) for n in range(20)]
        await until(farm.pool.open_flights)
        lies(farm, changed(artifact()))
        loading = asyncio.create_task(farm.control.load("echo"))
        await until(lambda: served(farm) == {1: "new digest of echo:1"})
        # The batch that runs is of the old files, so these are still there.
        assert "digest of echo:1" in farm.pool.nodes["a"].held
        farm.pool.nodes["a"].auto = True
        for flight in farm.pool.open_flights():
            flight.finish()
        answers = await asyncio.gather(*waiting)
        assert [a.outputs[0].raw for a in answers] == [bytes([n, n]) for n in range(20)]
        assert {a.receipt.digest for a in answers} == {"digest of echo:1", "new digest of echo:1"}
        await loading
        assert farm.pool.nodes["a"].held == {"new digest of echo:1"}


async def test_an_unload_answers_what_was_accepted_and_refuses_the_rest() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        farm.pool.nodes["a"].auto = False
        waiting = [farm.infer() for _ in range(20)]
        await until(farm.pool.open_flights)
        unloading = asyncio.create_task(farm.control.unload("echo"))
        await until(lambda: farm.snapshots.take().models[0].state is ModelState.UNLOADING)
        with pytest.raises(ModelUnavailableError, match="is being unloaded"):
            await farm.infer()
        farm.pool.nodes["a"].auto = True
        for flight in farm.pool.open_flights():
            flight.finish()
        assert len(await asyncio.gather(*waiting)) == 20
        await unloading
        assert farm.pool.nodes["a"].held == set()
        with pytest.raises(ModelUnavailableError, match="unloaded; load it again"):
            await farm.infer()
        assert farm.repository.wishes == {"echo": Wish(loaded=False, override=None)}
        lies(farm, artifact())
        await farm.control.load("echo")
        assert (await farm.infer()).outputs[0].raw == b"ab"


async def test_models_with_the_same_files_do_not_take_them_from_each_other() -> None:
    twin = replace(artifact("twin"), digest=artifact().digest)
    async with LittleFarm("a", models=(artifact(), twin)) as farm:
        await farm.start_nodes()
        await farm.control.unload("twin")
        assert farm.pool.nodes["a"].held == {"digest of echo:1"}
        assert (await farm.infer()).outputs[0].raw == b"ab"


async def test_a_version_that_the_repository_refuses_fails_the_load() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        farm.repository.listings["echo"] = ModelListing(
            name="echo",
            available=(available(artifact(version=2)),),
            refused=(RefusedVersion(key=ModelKey("echo", 3), reason="model.onnx is a link"),),
        )
        with pytest.raises(LoadFailedError, match=r"model\.onnx is a link"):
            await farm.control.load("echo")
        assert served(farm) == {1: "digest of echo:1"}


async def test_what_is_not_there_is_not_found() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        with pytest.raises(ModelNotFoundError):
            await farm.control.load("nobody")
        with pytest.raises(ModelNotFoundError):
            await farm.control.unload("nobody")


async def test_a_load_goes_on_when_its_caller_leaves() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        lies(farm, artifact("fresh"))
        farm.pool.nodes["a"].may_prepare.clear()
        loading = asyncio.create_task(farm.control.load("fresh"))
        await until(lambda: "0 of 1 nodes" in reason_of(farm, "fresh"))
        loading.cancel()
        farm.pool.nodes["a"].may_prepare.set()
        await until(lambda: served(farm, "fresh"))


async def test_what_was_unloaded_before_the_start_stays_unloaded() -> None:
    async with LittleFarm("a", unloaded=("echo",)) as farm:
        await farm.start_nodes()
        assert farm.pool.nodes["a"].held == set()
        with pytest.raises(ModelUnavailableError, match="unloaded"):
            await farm.infer()


async def test_loads_and_unloads_of_one_model_take_turns() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        lies(farm, artifact())
        operations = [farm.control.unload("echo"), farm.control.load("echo")] * 5
        results = await asyncio.gather(*operations, return_exceptions=True)
        assert results == [None] * 10
        assert farm.pool.nodes["a"].most_busy == 1
        assert farm.pool.nodes["a"].held == {"digest of echo:1"}
        assert (await farm.infer()).outputs[0].raw == b"ab"


async def test_a_model_that_was_never_in_the_repository_leaves_nothing_behind() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        lies(farm, artifact("brought"))
        await farm.control.load("brought", config="{}", files={"1/model.onnx": b""})
        del farm.repository.listings["brought"]
        await farm.control.unload("brought")
        assert farm.catalog.model("brought") is None
        assert "brought" not in farm.repository.wishes
        with pytest.raises(ModelNotFoundError):
            await farm.infer(model="brought")


async def test_a_version_that_the_policy_leaves_out_is_not_found() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        farm.repository.listings["echo"] = ModelListing(
            name="echo",
            available=(available(artifact(version=2)),),
            excluded=(ModelKey("echo", 1),),
        )
        await farm.control.load("echo")
        with pytest.raises(ModelNotFoundError, match="version_policy"):
            await farm.infer(version="1")


async def test_a_refused_model_is_ready_nowhere_although_a_twin_is() -> None:
    declared = TensorSpec(name="x", datatype=Datatype.FP32, shape=(-1, 2))
    twin = replace(artifact("twin"), digest=artifact().digest)
    async with LittleFarm("a") as farm:
        farm.catalog.put(
            ModelListing(
                name="twin", available=(available(twin, ModelSettings(inputs=(declared,))),)
            )
        )
        await farm.start_nodes()
        (description,) = farm.descriptions.describe("twin", "")
        assert description.snapshot.ready_nodes == ()
        assert not description.nodes[0].ready
        assert "as FP32" in description.nodes[0].reason


async def test_a_first_load_that_fails_leaves_no_trace_of_a_model_that_is_nowhere() -> None:
    async with LittleFarm("a") as farm:
        await farm.start_nodes()
        lies(farm, artifact("evil"))
        farm.pool.nodes["a"].reports["evil"] = ModelUnavailableError("it is evil")
        farm.repository.elsewhere.add("evil")
        with pytest.raises(LoadFailedError, match="it is evil"):
            await farm.control.load("evil", config="{}", files={"1/model.onnx": b""})
        assert farm.catalog.model("evil") is None
