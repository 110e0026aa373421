"""A farm of several machines as its units run it: fixed ports, TLS, a token, real Ray."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from faulty_farm import until
from free_ports import free_port
from local_answers import Digits
from served_models import copy_digits
from shelf_services import Shelf

from farm.client import AdminClient, AsyncFarmClient
from farm.core.errors import FarmError
from farm.pb.farm_admin_pb2 import NodeSnapshot

pytestmark = [pytest.mark.integration, pytest.mark.faults]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path, which Ray's sockets need."""
    path = Path(tempfile.mkdtemp(prefix="shelf-", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


class Callers:
    """Single digits, each over a connection of its own, until told to stop."""

    def __init__(self, address: str, digits: Digits) -> None:
        self._address, self._digits = address, digits
        self.answered = 0
        self.errors: list[FarmError] = []
        self.enough = False
        self._one_more = asyncio.Event()

    async def run(self) -> None:
        while not self.enough:
            index = self.answered % len(self._digits.images)
            image = self._digits.images[index : index + 1]
            async with AsyncFarmClient(self._address, retries=0) as client:
                try:
                    result = await client.infer("digits", {"image": image}, timeout_s=20)
                except FarmError as error:
                    self.errors.append(error)
                    continue
            alone = self._digits.probabilities[index]
            assert result["probabilities"][0].tobytes() == alone.tobytes()
            self.answered += 1
            self._one_more.set()

    async def some(self, count: int = 20) -> None:
        """Wait until so many more were answered."""
        until = self.answered + count
        async with asyncio.timeout(30):
            while self.answered < until:
                self._one_more.clear()
                await self._one_more.wait()


@asynccontextmanager
async def calling(address: str, digits: Digits) -> AsyncIterator[Callers]:
    """Ask while the block lasts; no call may fail."""
    callers = Callers(address, digits)
    async with asyncio.TaskGroup() as group:
        group.create_task(callers.run())
        yield callers
        callers.enough = True
    assert callers.errors == []


def node_of(address: str) -> NodeSnapshot:
    with AdminClient(address) as admin:
        (node,) = admin.snapshot().nodes
    return node


@pytest.mark.timeout(240)
async def test_a_shelf_serves_through_a_lost_head_and_a_new_gateway(
    folder: Path, digits: Digits
) -> None:
    models = folder / "models"
    models.mkdir()
    copy_digits(models)
    port = free_port()
    address = f"127.0.0.1:{port}"
    with Shelf(folder, models, grpc_port=port, metrics_port=free_port()).cleaned_up() as shelf:
        old, new = shelf.gateway("a"), shelf.gateway("b")
        # All at once, as after a power cut; the node comes last.
        shelf.head.start()
        old.start()
        shelf.head.told("READY=1")
        shelf.node.start()
        shelf.node.told("READY=1")
        assert "1 of 1 nodes ready" in old.told("READY=1")

        async with calling(address, digits) as callers:
            await callers.some()
            first = await asyncio.to_thread(node_of, address)

            shelf.head.child("gcs_server").send_signal(signal.SIGKILL)
            assert await asyncio.to_thread(shelf.head.wait) == 17
            await callers.some()
            shelf.head.start()
            await asyncio.to_thread(shelf.head.told, "READY=1")
            await callers.some()
            assert (await asyncio.to_thread(node_of, address)).incarnation == first.incarnation

        # The gateway of before has Ray at its command: it puts another actor in a dead one's place.
        os.kill(first.pid, signal.SIGKILL)

        def replaced() -> bool:
            node = node_of(address)
            return node.incarnation != first.incarnation and node.state == "ready"

        await until(replaced, "the node has a new actor")
        second = node_of(address)

        async with calling(address, digits) as callers:
            await callers.some()
            new.start()
            await asyncio.to_thread(new.told, "READY=1")
            old.process.send_signal(signal.SIGUSR1)
            assert await asyncio.to_thread(old.wait) == 0
            await callers.some()
            assert (await asyncio.to_thread(node_of, address)).incarnation == second.incarnation

        assert "batches_go_through_ray" not in old.log() + new.log()
        assert new.stop() == 0
        assert shelf.node.stop() == 0
        assert shelf.head.stop() == 0
