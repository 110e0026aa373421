"""What a gateway does about nodes whose machines are not in the cluster; no Ray is started."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from farm.cluster import joined
from farm.cluster.calls import ActorCalls
from farm.cluster.joined import JoinedMachines
from farm.cluster.supervisor import Heartbeats, Supervisor
from farm.core.errors import InternalError
from farm.core.pool import NodeDown, PoolEvent
from farm.node.settings import NodeSettings


class Cluster:
    """Members of a cluster, and how often somebody looked."""

    def __init__(self, *resources: str) -> None:
        self.resources = frozenset(resources)
        self.looks = 0

    def present(self) -> frozenset[str]:
        self.looks += 1
        return self.resources


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    cluster = Cluster()
    monkeypatch.setattr(joined, "_present", cluster.present)
    monkeypatch.setattr(joined, "_FRESH_S", 0.0)
    return cluster


class Unplaced(Supervisor):
    """Counts the actors that it would have started."""

    started = 0

    def _obtain(self) -> ActorCalls:
        self.started += 1
        raise InternalError("no actor here")


@asynccontextmanager
async def supervised(folder: Path, emit: Callable[[PoolEvent], None]) -> AsyncIterator[Unplaced]:
    supervisor = Unplaced(
        NodeSettings(node_id="pi-01", cache_dir=folder),
        machines=JoinedMachines(),
        heartbeats=Heartbeats(interval_s=0.001, restart_base_s=0.001, restart_max_s=0.001),
        emit=emit,
    )
    task = asyncio.create_task(supervisor.run())
    try:
        yield supervisor
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is awaited sets no event
            await asyncio.sleep(0.001)


async def test_no_actor_waits_for_a_machine_that_has_not_joined(
    tmp_path: Path, cluster: Cluster
) -> None:
    events: list[PoolEvent] = []
    async with supervised(tmp_path, events.append) as supervisor:
        await until(lambda: cluster.looks >= 5)
        assert supervisor.started == 0
        (told,) = events
        assert isinstance(told, NodeDown)
        assert "has not joined" in told.reason

        cluster.resources = frozenset({"farm_node_pi-01"})
        await until(lambda: supervisor.started >= 1)


async def test_another_nodes_machine_is_not_this_ones(tmp_path: Path, cluster: Cluster) -> None:
    cluster.resources = frozenset({"farm_node_pi-02", "memory"})
    async with supervised(tmp_path, lambda _: None) as supervisor:
        await until(lambda: cluster.looks >= 3)
        assert supervisor.started == 0


async def test_a_head_that_does_not_answer_is_asked_again(
    tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> frozenset[str]:
        cluster.looks += 1
        raise RuntimeError("the head is away")

    events: list[PoolEvent] = []
    monkeypatch.setattr(joined, "_present", away)
    async with supervised(tmp_path, events.append) as supervisor:
        await until(lambda: cluster.looks >= 2)
        assert supervisor.started == 0
        assert {e.reason for e in events if isinstance(e, NodeDown)} == {
            "the farm's head does not answer (RuntimeError); see its farm-head service"
        }
        monkeypatch.setattr(joined, "_present", lambda: frozenset({"farm_node_pi-01"}))
        await until(lambda: supervisor.started >= 1)


async def test_supervisors_share_a_look(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joined, "_FRESH_S", 60.0)
    cluster.resources = frozenset({"farm_node_pi-01"})
    machines = JoinedMachines()
    found = await asyncio.gather(*(machines.has(f"pi-0{number}") for number in range(5)))
    assert found == [False, True, False, False, False]
    assert cluster.looks == 1
