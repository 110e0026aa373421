"""Faults that the scheduler answers, on real Ray: slow, hung, broken, killed and full nodes."""

import asyncio
import os
import platform
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from cordoned import without
from digit_load import Load
from farm_process import FarmProcess, wait_until
from fault_injection import damaged, disk_of, slowed, stopped
from local_answers import Digits
from metrics_page import counted
from served_models import DEADLY, copy_digits, write_adder, write_negator, write_slow
from two_gateways import TwoGateways

from farm.client import AdminClient, AsyncFarmClient
from farm.core.errors import ErrorCode, FarmError
from farm.pb.farm_admin_pb2 import NodeSnapshot

pytestmark = [pytest.mark.integration, pytest.mark.faults]

# Enough steps for requests to be seen waiting behind it.
LONG = 120_000
# Steps of requests that take a node some milliseconds, each another number.
SHORT = range(1000, 1200)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarmProcess]:
    """A farm of two nodes that hedges, ejects for a moment and opens one model at a time.

    Each test has a model of its own to count by.
    """
    models = tmp_path_factory.mktemp("pair") / "models"
    models.mkdir()
    copy_digits(models)
    write_adder(models, "adder", 1.0)
    write_slow(models, "slow")
    write_negator(models, "negator")
    with FarmProcess(
        models.parent,
        "--nodes",
        "2",
        "--models",
        str(models),
        environment={
            "FARM_NODE__MAX_SESSIONS": "1",
            "FARM_SCHEDULING__HEDGING__ENABLED": "true",
            "FARM_SCHEDULING__HEALTH__EJECT_BASE_S": "0.3",
            "FARM_SCHEDULING__HEALTH__EJECT_MAX_S": "0.6",
        },
    ) as farm:
        yield farm


def steps(count: int) -> dict[str, np.ndarray]:
    """Inputs of the slow model."""
    return {"STEPS": np.array([[count]], dtype=np.int64)}


def node(admin: AdminClient, node_id: str) -> NodeSnapshot:
    return next(known for known in admin.snapshot().nodes if known.node_id == node_id)


async def until(condition: Callable[[], bool], what: str) -> None:
    await asyncio.to_thread(wait_until, condition, timeout_s=60, what=what)


@asynccontextmanager
async def under(load: Load, *, concurrency: int) -> AsyncIterator[None]:
    """Keep a load up, and look at what became of it when the block ends."""
    done = asyncio.Event()
    traffic = asyncio.create_task(
        load.run(concurrency=concurrency, go_on=lambda: not done.is_set())
    )
    try:
        yield
    finally:
        done.set()
        await traffic
    assert load.errors == []
    assert load.wrong == 0


async def answers(load: Load, count: int) -> Counter[str]:
    """Wait for so many more answers; return how many of them each node gave."""
    before, wanted = load.nodes.copy(), load.answered + count
    await until(lambda: load.answered >= wanted, f"{count} more answers")
    return load.nodes - before


async def test_a_slowed_node_gets_less_until_it_is_quick_again(
    farm: FarmProcess, load: Load
) -> None:
    with AdminClient(farm.grpc) as admin:
        pid = node(admin, "local-2").pid
    async with under(load, concurrency=32):
        await load.warm.wait()
        with slowed(pid, share=0.1):
            # By then the scheduler has seen what batches take there.
            await answers(load, 600)
            shares = await answers(load, 1200)
        had = load.nodes["local-2"]
        await until(lambda: load.nodes["local-2"] > had, "it serves again")
    others = (shares["local-1"] + shares["local-3"]) / 2
    assert shares["local-2"] < others / 2


async def test_two_gateways_lose_nothing_at_nodes_that_are_full_or_die(
    tmp_path: Path,
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    write_slow(models, "slow")
    with TwoGateways(tmp_path, models) as farm:
        gateways, metrics = farm.grpc.split(","), farm.metrics.split(",")

        async def flood(address: str) -> list[int]:
            async with AsyncFarmClient(address, retries=0) as client:
                replies = await asyncio.gather(
                    *(client.infer("slow", steps(count), timeout_s=100) for count in SHORT)
                )
            return [int(reply["DONE"][0, 0]) for reply in replies]

        def turned_away(address: str) -> float:
            return counted(address, "farm_batches_total", outcome=ErrorCode.NODE_BUSY)

        with AdminClient(gateways[0]) as one, AdminClient(gateways[1]) as two:
            dead = node(one, "local-1")
            assert node(two, "local-1").incarnation == dead.incarnation, "they share the actor"

            def share_a_new_one() -> bool:
                mine, yours = (node(admin, "local-1") for admin in (one, two))
                same = mine.incarnation == yours.incarnation != dead.incarnation
                return same and mine.state == yours.state == "ready"

            floods = asyncio.gather(*map(flood, gateways))
            await until(lambda: all(map(turned_away, metrics)), "nodes were full for both")
            assert not floods.done()
            os.kill(dead.pid, signal.SIGKILL)
            assert await floods == [list(SHORT)] * 2
            await until(share_a_new_one, "both have found the same new actor")
        for address in metrics:
            assert counted(address, "farm_node_ejections_total") == 0


async def test_a_hung_nodes_requests_are_answered_by_their_twins(pair: FarmProcess) -> None:
    served: Counter[str] = Counter()

    async def ask(client: AsyncFarmClient) -> str:
        """Return which node answered."""
        x = np.zeros((1, 4), dtype=np.float32)
        result = await client.infer("adder", {"x": x}, timeout_s=60)
        assert result["y"].tolist() == [[1.0] * 4]
        served[result.receipt["node"]] += 1
        return str(result.receipt["node"])

    with AdminClient(pair.grpc) as admin:
        async with AsyncFarmClient(pair.grpc, retries=0) as client:
            hung = node(admin, "local-2")
            async with without(admin, "local-1"):
                assert await ask(client) == "local-2"
            with stopped(hung.pid):
                async with without(admin, "local-1"):
                    first = asyncio.gather(*(ask(client) for _ in range(4)))
                    await until(lambda: node(admin, "local-2").inflight_batches > 0, "some left")
                assert set(await first) == {"local-1"}
                assert {await ask(client) for _ in range(10)} == {"local-1"}
                assert node(admin, "local-2").inflight_batches > 0
            await until(lambda: not admin.snapshot().inflight_batches, "the first runs have ended")
            async with without(admin, "local-1"):
                assert await ask(client) == "local-2"
            (statistics,) = await client.statistics("adder")
        assert node(admin, "local-2").incarnation == hung.incarnation
    # Each was answered once, although the hung node ran some of them after all.
    assert statistics.inference_stats.success.count == served.total()
    assert statistics.inference_stats.fail.count == 0
    assert counted(pair.metrics, "farm_requests_wasted_total", model="adder") > 0


async def test_a_node_that_fails_is_ejected_probed_and_returns(
    pair: FarmProcess, digits: Digits
) -> None:
    def ejections() -> float:
        return counted(pair.metrics, "farm_node_ejections_total", node="local-2")

    load = Load(pair.grpc, digits)
    with AdminClient(pair.grpc) as admin:
        incarnation = node(admin, "local-2").incarnation
        # Another model takes the place of digits in the node's memory.
        async with AsyncFarmClient(pair.grpc, retries=0) as client, without(admin, "local-1"):
            await client.infer("slow", steps(1), timeout_s=60)
        with damaged(disk_of(pair, "local-2") / "models"):
            async with under(load, concurrency=4):
                await until(lambda: node(admin, "local-2").state == "ejected", "it is ejected")
                first = ejections()
                # It gets no batches now, so what it fails is a probe.
                await until(lambda: ejections() > first, "a probe has failed")
                assert load.nodes["local-2"] == 0
        async with under(load, concurrency=4):
            await until(lambda: node(admin, "local-2").state == "ready", "a probe has succeeded")
            await until(lambda: load.nodes["local-2"] > 0, "it serves again")
        assert node(admin, "local-2").incarnation == incarnation


@pytest.mark.skipif(
    platform.machine() != "x86_64", reason="only x86 traps when a quotient does not fit"
)
async def test_a_request_that_kills_is_found_out_and_its_companions_are_answered(
    pair: FarmProcess,
) -> None:
    async def negate(client: AsyncFarmClient, x: int) -> int:
        given = np.array([[x]], dtype=np.int32)
        result = await client.infer("negator", {"X": given}, timeout_s=60)
        return int(result["Y"][0, 0])

    def ejections() -> float:
        return counted(pair.metrics, "farm_node_ejections_total")

    def batches(outcome: ErrorCode) -> float:
        sample = "farm_batches_total"
        return counted(pair.metrics, sample, model="negator", outcome=outcome)

    with AdminClient(pair.grpc) as admin:
        bystander, ejected = node(admin, "local-1"), ejections()
        async with AsyncFarmClient(pair.grpc, retries=0) as client:
            async with without(admin, "local-2"):
                # The node that is left runs one, and the other waits there for its turn.
                ahead = asyncio.gather(
                    *(client.infer("slow", steps(LONG), timeout_s=60) for _ in range(2))
                )
                await until(lambda: admin.snapshot().inflight_batches == 2, "one node is full")
                together = (1, 2, DEADLY, 3)
                replies = asyncio.gather(
                    *(negate(client, x) for x in together), return_exceptions=True
                )
                await until(lambda: admin.snapshot().queued_requests == 4, "all of them wait")
            # They have left in one batch now.
            first, second, killer, third = await replies
            await ahead
            assert (first, second, third) == (-1, -2, -3)
            assert isinstance(killer, FarmError)
            assert killer.code is ErrorCode.EXECUTION_FAILED
            assert "killed the process that ran this request (SIGFPE)" in killer.message
            after = await asyncio.gather(*(negate(client, x) for x in range(50)))
            assert after == [-x for x in range(50)]
        assert batches(ErrorCode.NODE_LOST) == 1
        assert batches(ErrorCode.EXECUTION_FAILED) == 1
        # All of them in the batch that was lost, and the one alone.
        wasted = counted(pair.metrics, "farm_requests_wasted_total", model="negator")
        assert wasted == len(together) + 1
        assert node(admin, "local-1").incarnation == bystander.incarnation
        assert ejections() == ejected
        await until(lambda: node(admin, "local-2").state == "ready", "the lost node is back")
