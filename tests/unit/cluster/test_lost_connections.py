"""Actors whose connection ends with batches under way: one that lives is taken back as it is."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from farm.cluster import joined
from farm.cluster.calls import ActorCalls
from farm.cluster.joined import JoinedMachines
from farm.cluster.supervisor import Heartbeats, Supervisor
from farm.core.errors import NodeLostError
from farm.core.pool import NodeDown, NodeUp, PoolEvent
from farm.node.settings import NodeSettings

NODE = "pi-01"
VITALS = dict.fromkeys(
    (
        "cpu_fraction",
        "slots_busy",
        "memory_total_bytes",
        "memory_available_bytes",
        "temperature_c",
        "clock_hz",
        "batches_total",
        "rows_total",
        "failures_total",
    ),
    0,
)


class Process:
    """What an actor is: it lives until it is killed."""

    def __init__(self, number: int) -> None:
        self.incarnation = f"process {number}"
        self.alive = True


class LivingCalls(ActorCalls):
    """Calls to an actor, whose connection needs nothing."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @property
    def endings(self) -> frozenset["asyncio.Future[None]"]:
        return frozenset()

    async def describe(self) -> Mapping[str, Any]:
        return self._said({"node_id": NODE, "incarnation": self._process.incarnation})

    async def vitals(self) -> Mapping[str, Any]:
        return self._said({**VITALS, "digests": (), "incarnation": self._process.incarnation})

    async def connect(self) -> None:
        pass

    def disconnect(self) -> None:
        pass

    def kill(self) -> None:
        self._process.alive = False

    def _said(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        if not self._process.alive:
            raise NodeLostError("its actor died")
        return message


class OneNode(Supervisor):
    """Finds the process that lives, or starts another."""

    def __init__(self, folder: Path, heartbeats: Heartbeats) -> None:
        self.events: list[PoolEvent] = []
        super().__init__(
            NodeSettings(node_id=NODE, cache_dir=folder),
            machines=JoinedMachines(),
            heartbeats=heartbeats,
            emit=self.events.append,
        )
        self.processes: list[Process] = []

    def _obtain(self) -> ActorCalls:
        if not self.processes or not self.processes[-1].alive:
            self.processes.append(Process(len(self.processes) + 1))
        return LivingCalls(self.processes[-1])

    async def times_up(self, count: int) -> None:
        """Wait until it has greeted so many times."""
        async with asyncio.timeout(10):
            while sum(isinstance(event, NodeUp) for event in self.events) < count:  # noqa: ASYNC110 - events are kept, not awaited
                await asyncio.sleep(0.001)


@asynccontextmanager
async def supervised(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, suspicious_for_s: float
) -> AsyncIterator[OneNode]:
    """Supervise a node whose connection may end again after so long."""
    monkeypatch.setattr(joined, "_present", lambda: {f"farm_node_{NODE}": "first"})
    heartbeats = Heartbeats(interval_s=0.001, restart_base_s=0.001, restart_max_s=suspicious_for_s)
    node = OneNode(folder, heartbeats)
    task = asyncio.create_task(node.run())
    try:
        await node.times_up(1)
        yield node
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_an_actor_that_lives_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with supervised(tmp_path, monkeypatch, suspicious_for_s=0.0) as node:
        node.greet_anew("process 1", "the connection ended")
        await node.times_up(2)
        (process,) = node.processes
        assert process.alive
        downs = [event.reason for event in node.events if isinstance(event, NodeDown)]
        assert downs == ["the connection ended"]
        assert node.incarnation == "process 1"


async def test_an_actor_that_is_dead_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with supervised(tmp_path, monkeypatch, suspicious_for_s=0.0) as node:
        node.processes[0].alive = False
        node.greet_anew("process 1", "the connection ended")
        await node.times_up(2)
        assert node.incarnation == "process 2"


async def test_an_actor_whose_connection_ends_again_and_again_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with supervised(tmp_path, monkeypatch, suspicious_for_s=60.0) as node:
        node.greet_anew("process 1", "the connection ended")
        await node.times_up(2)
        assert [process.alive for process in node.processes] == [False, True]


async def test_what_is_said_of_an_older_actor_concerns_no_newer_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with supervised(tmp_path, monkeypatch, suspicious_for_s=60.0) as node:
        node.replace("process 1", "it hangs")
        await node.times_up(2)
        node.greet_anew("process 1", "the connection ended")
        node.replace("process 1", "it hangs")
        await asyncio.sleep(0.02)
        assert node.incarnation == "process 2"
        assert node.processes[-1].alive
