"""Clients that go away: in the queue, at a node, in the middle of an answer."""

import asyncio
import socket
from collections.abc import Iterator
from random import Random

import psutil
import pytest
from digit_questions import MODEL, Questions
from farm_process import FarmProcess
from faulty_farm import settled, until
from history import violations
from recorded_load import RecordedLoad

from farm.client import AsyncFarmClient
from farm.core.errors import FarmError

pytestmark = [pytest.mark.integration, pytest.mark.faults]

CALLS = 2_000
# Answers take some milliseconds: a call is given up before, while and after it is answered.
LONGEST_S = 0.02
IDLE = 2_000


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarmProcess]:
    with FarmProcess(tmp_path_factory.mktemp("left"), "--nodes", "2") as process:
        yield process


async def test_calls_given_up_at_any_stage_harm_nobody(
    farm: FarmProcess, questions: Questions
) -> None:
    random = Random(7)
    image = {"image": next(iter(questions.images.values()))}

    async def give_up(client: AsyncFarmClient) -> None:
        call = asyncio.create_task(client.infer(MODEL, image, timeout_s=30))
        await asyncio.sleep(random.uniform(0, LONGEST_S))
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)

    async with (
        RecordedLoad(farm.grpc, questions, callers=4) as polite,
        AsyncFarmClient(farm.grpc, retries=0) as client,
    ):
        for _ in range(CALLS // 50):
            await asyncio.gather(*(give_up(client) for _ in range(50)))
    assert violations(polite.history, questions.truth) == []
    await settled(farm.metrics)


async def test_connections_cut_in_the_middle_harm_nobody(
    farm: FarmProcess, questions: Questions
) -> None:
    gateway = psutil.Process(farm.process.pid)
    image = {"image": next(iter(questions.images.values()))}

    async def cut(number: int) -> None:
        async with AsyncFarmClient(farm.grpc, retries=0) as client:
            calls = [asyncio.create_task(client.infer(MODEL, image)) for _ in range(8)]
            await asyncio.sleep(number % 5 * 0.002)
        # The block has closed the connection beneath them.
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(each, FarmError) for each in outcomes if isinstance(each, Exception))

    async with RecordedLoad(farm.grpc, questions, callers=4) as polite:
        before = gateway.num_fds()
        for start in range(0, 100, 10):
            await asyncio.gather(*(cut(start + number) for number in range(10)))
        await until(lambda: gateway.num_fds() <= before, "every connection is closed")
    assert violations(polite.history, questions.truth) == []
    await settled(farm.metrics)


async def test_connections_that_say_nothing_harm_nobody(
    farm: FarmProcess, questions: Questions
) -> None:
    gateway = psutil.Process(farm.process.pid)
    host, port = farm.grpc.split(":")
    before = gateway.num_fds()
    silent = [socket.create_connection((host, int(port)), timeout=10) for _ in range(IDLE)]
    try:
        async with RecordedLoad(farm.grpc, questions, callers=4) as polite:
            await polite.answered(1000)
        assert violations(polite.history, questions.truth) == []
    finally:
        for connection in silent:
            connection.close()
    await until(lambda: gateway.num_fds() <= before, "every connection is closed")
    await settled(farm.metrics)
