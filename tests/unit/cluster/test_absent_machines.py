"""What a gateway does about nodes whose machines are not in the cluster; no Ray is started."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

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

    def __init__(self) -> None:
        self.members: dict[str, str] = {}
        self.looks = 0

    def present(self) -> Mapping[str, str]:
        self.looks += 1
        return self.members


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


class Silent(ActorCalls):
    """An actor that never says a word: nobody starts it any more."""

    def __init__(self) -> None:
        self.killed = False

    async def describe(self) -> Mapping[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    def disconnect(self) -> None:
        pass

    def kill(self) -> None:
        self.killed = True


class Placed(Supervisor):
    """Starts silent actors."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self.actors: list[Silent] = []

    def _obtain(self) -> ActorCalls:
        self.actors.append(Silent())
        return self.actors[-1]


S = TypeVar("S", bound=Supervisor)


@asynccontextmanager
async def supervised(
    folder: Path, emit: Callable[[PoolEvent], None], kind: Callable[..., S]
) -> AsyncIterator[S]:
    supervisor = kind(
        settings=NodeSettings(node_id="pi-01", cache_dir=folder),
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
    async with supervised(tmp_path, events.append, Unplaced) as supervisor:
        await until(lambda: cluster.looks >= 5)
        assert supervisor.started == 0
        (told,) = events
        assert isinstance(told, NodeDown)
        assert "has not joined" in told.reason

        cluster.members = {"farm_node_pi-01": "first"}
        await until(lambda: supervisor.started >= 1)


async def test_another_nodes_machine_is_not_this_ones(tmp_path: Path, cluster: Cluster) -> None:
    cluster.members = {"farm_node_pi-02": "first", "memory": "first"}
    async with supervised(tmp_path, lambda _: None, Unplaced) as supervisor:
        await until(lambda: cluster.looks >= 3)
        assert supervisor.started == 0


async def test_a_head_that_does_not_answer_is_asked_again(
    tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> Mapping[str, str]:
        cluster.looks += 1
        raise RuntimeError("the head is away")

    events: list[PoolEvent] = []
    monkeypatch.setattr(joined, "_present", away)
    async with supervised(tmp_path, events.append, Unplaced) as supervisor:
        await until(lambda: cluster.looks >= 2)
        assert supervisor.started == 0
        assert {e.reason for e in events if isinstance(e, NodeDown)} == {
            "the farm's head does not answer (RuntimeError); see its farm-head service"
        }
        monkeypatch.setattr(joined, "_present", lambda: {"farm_node_pi-01": "first"})
        await until(lambda: supervisor.started >= 1)


@pytest.mark.parametrize("then", [{}, {"farm_node_pi-01": "second"}], ids=["gone", "back"])
async def test_an_actor_whose_machine_left_before_it_spoke_is_given_up(
    tmp_path: Path, cluster: Cluster, then: dict[str, str]
) -> None:
    events: list[PoolEvent] = []
    cluster.members = {"farm_node_pi-01": "first"}
    async with supervised(tmp_path, events.append, Placed) as supervisor:
        await until(lambda: bool(supervisor.actors) and cluster.looks >= 5)
        (waited_for,) = supervisor.actors
        assert not events
        cluster.members = then
        await until(lambda: waited_for.killed)
        cluster.members = {"farm_node_pi-01": "second"}
        await until(lambda: len(supervisor.actors) == 2)
    assert isinstance(events[0], NodeDown)
    assert events[0].reason == "its machine left the cluster while its actor started"


async def test_an_actor_is_waited_for_while_the_head_is_away(
    tmp_path: Path, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> Mapping[str, str]:
        cluster.looks += 1
        raise RuntimeError("the head is away")

    events: list[PoolEvent] = []
    cluster.members = {"farm_node_pi-01": "first"}
    async with supervised(tmp_path, events.append, Placed) as supervisor:
        await until(lambda: bool(supervisor.actors))
        monkeypatch.setattr(joined, "_present", away)
        looks = cluster.looks
        await until(lambda: cluster.looks >= looks + 5)
        assert len(supervisor.actors) == 1
    assert events == []


async def test_supervisors_share_a_look(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joined, "_FRESH_S", 60.0)
    cluster.members = {"farm_node_pi-01": "first"}
    machines = JoinedMachines()
    found = await asyncio.gather(*(machines.membership(f"pi-0{number}") for number in range(5)))
    assert found == ["", "first", "", "", ""]
    assert cluster.looks == 1
