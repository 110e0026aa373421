"""Models whose sessions keep more and more memory, on a node that has little of it."""

import time
from collections.abc import Iterator
from itertools import count

import numpy as np
import psutil
import pytest
from digit_questions import Questions
from farm_process import FarmProcess
from faulty_farm import settled, until
from history import violations
from memory_peak import MemoryPeak
from recorded_load import RecordedLoad
from served_models import copy_digits, write_hungry
from stand_ins import stand_in

from farm.client import AdminClient, AsyncFarmClient
from farm.core.errors import ExecutionFailedError
from farm.pb.farm_admin_pb2 import NodeSnapshot

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.timeout(300)]

MIB = 1 << 20
MEMORY_BYTES = 900 * MIB
# Every process takes the machine for one of so much memory, all of it free but what it holds.
LITTLE_MEMORY = f"""
import psutil
from farm.node import probes

def _memory_bytes():
    held = psutil.Process().memory_info().rss
    return {MEMORY_BYTES}, max({MEMORY_BYTES} - held, 0)

probes.memory_bytes = _memory_bytes
"""
# Each large request asks for so many numbers more than the one before. Sums stay exact.
MORE, MODEST = 4 * MIB, 1000


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarmProcess]:
    folder = tmp_path_factory.mktemp("leaking")
    models = folder / "models"
    models.mkdir()
    copy_digits(models)
    write_hungry(models, "leaky")
    with FarmProcess(
        folder,
        "--nodes",
        "1",
        "--models",
        str(models),
        environment=stand_in(folder, LITTLE_MEMORY),
    ) as process:
        yield process


async def ask(client: AsyncFarmClient, numbers: int) -> None:
    wanted = {"N": np.array([[numbers]], dtype=np.int64)}
    answer = await client.infer("leaky", wanted, timeout_s=100)
    assert answer["TOTAL"].tolist() == [[numbers]]


class Node:
    """The farm's one node: what its process holds, and whether it is still the same."""

    def __init__(self, admin: AdminClient) -> None:
        self._admin = admin
        self._first = self._seen()
        self.pid = self._first.pid
        self.lean_bytes = self.held_bytes()

    @property
    def lives_on(self) -> bool:
        now = self._seen()
        return (now.incarnation, now.state) == (self._first.incarnation, "ready")

    def held_bytes(self) -> int:
        return psutil.Process(self.pid).memory_info().rss

    async def heard(self) -> None:
        """Wait for its next heartbeat, at which it judges whether memory is short."""
        began_s = time.monotonic()

        def is_heard() -> bool:
            return self._seen().heartbeat_age_ns < (time.monotonic() - began_s) * 1e9

        await until(is_heard, "the node's next heartbeat")

    def _seen(self) -> NodeSnapshot:
        (node,) = self._admin.snapshot().nodes
        return node


@pytest.fixture
def node(farm: FarmProcess) -> Iterator[Node]:
    with AdminClient(farm.grpc) as admin:
        yield Node(admin)


async def test_what_a_model_leaks_goes_back_before_anybody_lacks_memory(
    farm: FarmProcess, node: Node, questions: Questions
) -> None:
    async with (
        RecordedLoad(farm.grpc, questions, callers=8) as polite,
        AsyncFarmClient(farm.grpc, retries=0) as client,
    ):
        # Memory runs short heartbeat by heartbeat; no request is refused for it.
        for requests in count(1):
            await ask(client, requests * MORE)
            grown_bytes = node.held_bytes()
            await node.heard()
            if node.held_bytes() - node.lean_bytes < (grown_bytes - node.lean_bytes) // 2:
                break
        assert grown_bytes > MEMORY_BYTES // 2, "it goes back because there is little left"
        await ask(client, MODEST)
        await polite.answered(400)
        assert node.held_bytes() < grown_bytes // 2
    assert node.lives_on
    assert violations(polite.history, questions.truth) == []
    await settled(farm.metrics)


async def test_a_model_that_leaks_faster_is_refused_in_words_and_answers_on(
    farm: FarmProcess, node: Node, questions: Questions
) -> None:
    async with (
        RecordedLoad(farm.grpc, questions, callers=8) as polite,
        AsyncFarmClient(farm.grpc, retries=0) as client,
    ):
        with (
            MemoryPeak(node.pid) as peak,
            pytest.raises(ExecutionFailedError, match=r"alloc|memory"),
        ):
            for requests in count(1):
                await ask(client, requests * MORE)
        # That goes back at once, short as memory may have been a moment before.
        await node.heard()
        assert node.held_bytes() - node.lean_bytes < peak.grown_bytes // 2
        await ask(client, MODEST)
        await polite.answered(400)
    assert node.lives_on
    assert violations(polite.history, questions.truth) == []
    await settled(farm.metrics)
