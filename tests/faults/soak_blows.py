"""Deals the blows of a soak's plan to a farm, and waits until it has recovered."""

import asyncio
import os
import platform
import signal
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import Final

import numpy as np
from fault_injection import stopped
from faulty_farm import until
from served_models import DEADLY
from soak_books import Books, Manner
from soak_plan import Blow, Fault
from soak_questions import DEADLY_MODEL, SoakQuestions

from farm.client import AdminClient, AsyncFarmClient
from farm.core.errors import ErrorCode, FarmError
from farm.pb.farm_admin_pb2 import NodeSnapshot

# Requests of a flood, at once, and how long each may take.
_FLOOD: Final = 1_500
_FLOOD_S: Final = 2.0
_CUTS: Final = 20
_POISONS: Final = (np.nan, np.inf, -np.inf, 3e38)
# A reset instead of an orderly end.
_NO_LINGER: Final = struct.pack("ii", 1, 0)


class Blows:
    """Deals blows to one farm. `steady` is the node that none of them may meet."""

    def __init__(
        self, address: str, admin: AdminClient, questions: SoakQuestions, *, steady: str
    ) -> None:
        self._address, self._admin, self._questions = address, admin, questions
        self._steady = steady

    async def deal(self, blow: Blow, books: Books, random: Random) -> None:
        """Deal one blow; return once the farm is whole again."""
        match blow.fault:
            case Fault.KILL:
                await self._lose(blow.node, signal.SIGKILL)
            case Fault.HANG:
                await self._lose(blow.node, signal.SIGSTOP)
            case Fault.PAUSE:
                with stopped((await self._node(blow.node)).pid):
                    await asyncio.sleep(random.uniform(0.2, 4.0))
            case Fault.RESTART:
                await asyncio.to_thread(self._admin.restart, blow.node, timeout_s=120)
            case Fault.CORDON:
                async with self._without(blow.node):
                    await asyncio.sleep(random.uniform(0.2, 1.0))
            case Fault.DEADLY:
                # Other processors answer what x86 traps at.
                if platform.machine() == "x86_64":
                    await self._kill_by_request(books)
            case Fault.POISON:
                await self._poison(books, random)
            case Fault.CUT:
                await self._cut(books, random)
            case Fault.FLOOD:
                await self._flood(books, random)
        await self.whole()

    async def whole(self) -> None:
        """Wait until every node is ready and runs every model that is meant to be served."""

        def is_whole() -> bool:
            snapshot = self._admin.snapshot()
            return all(node.state == "ready" for node in snapshot.nodes)

        await until(is_whole, "every node is ready", timeout_s=120)

    async def _node(self, node_id: str) -> NodeSnapshot:
        snapshot = await asyncio.to_thread(self._admin.snapshot)
        return next(node for node in snapshot.nodes if node.node_id == node_id)

    async def _lose(self, node_id: str, fault: signal.Signals) -> None:
        before = await self._node(node_id)
        os.kill(before.pid, fault)

        def is_replaced() -> bool:
            nodes = self._admin.snapshot().nodes
            return any(
                node.node_id == node_id and node.incarnation != before.incarnation for node in nodes
            )

        await until(is_replaced, f"{node_id} has a new process", timeout_s=120)

    @asynccontextmanager
    async def _without(self, node_id: str) -> AsyncIterator[None]:
        await asyncio.to_thread(self._admin.cordon, node_id, timeout_s=60)
        try:
            yield
        finally:
            await asyncio.to_thread(self._admin.uncordon, node_id, timeout_s=60)

    async def _kill_by_request(self, books: Books) -> None:
        """Ask for what kills whoever runs it, far from the steady node."""
        deadly = {"X": np.array([[DEADLY]], dtype=np.int32)}
        async with self._without(self._steady), AsyncFarmClient(self._address, retries=0) as client:
            before = {node.node_id: node.incarnation for node in self._admin.snapshot().nodes}
            try:
                await client.infer(DEADLY_MODEL, deadly, timeout_s=120)
            except FarmError as error:
                if error.code is not ErrorCode.EXECUTION_FAILED:
                    books.surprises.append(f"a deadly request: {error.code}: {error.message}")
            else:
                books.surprises.append("a deadly request was answered")

        def one_is_replaced() -> bool:
            nodes = self._admin.snapshot().nodes
            return any(node.incarnation != before[node.node_id] for node in nodes)

        await until(one_is_replaced, "the node that it killed has a new process", timeout_s=120)

    async def _poison(self, books: Books, random: Random) -> None:
        async with AsyncFarmClient(self._address, retries=0) as client:
            for _ in range(100):
                poison = np.full((1, 1, 8, 8), random.choice(_POISONS), dtype=np.float32)
                try:
                    await client.infer("digits", {"image": poison}, timeout_s=60)
                except FarmError as error:
                    books.surprises.append(f"a poisoned request: {error.code}: {error.message}")

    async def _cut(self, books: Books, random: Random) -> None:
        """Close connections beneath calls, and reset some that never spoke the protocol."""
        host, _, port = self._address.rpartition(":")
        for _ in range(_CUTS):
            async with AsyncFarmClient(self._address, retries=0) as client:
                calls = [
                    asyncio.create_task(self._asked(client, books, random, Manner.LEAVING, 60.0))
                    for _ in range(8)
                ]
                await asyncio.sleep(random.uniform(0, 0.02))
            await asyncio.gather(*calls)
            with suppress(OSError), socket.create_connection((host, int(port)), timeout=10) as raw:
                raw.sendall(random.randbytes(random.randint(0, 100)))
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)

    async def _flood(self, books: Books, random: Random) -> None:
        async with AsyncFarmClient(self._address, retries=0) as client:
            await asyncio.gather(
                *(
                    self._asked(client, books, random, Manner.FLOOD, _FLOOD_S, slow=0.5)
                    for _ in range(_FLOOD)
                )
            )

    async def _asked(
        self,
        client: AsyncFarmClient,
        books: Books,
        random: Random,
        manner: Manner,
        timeout_s: float,
        *,
        slow: float = 0.1,
    ) -> None:
        question = self._questions.drawn(random, slow=slow)
        with books.asking(manner, question, timeout_s=timeout_s) as asked:
            asked.answered(await client.infer(question.model, question.inputs, timeout_s=timeout_s))
