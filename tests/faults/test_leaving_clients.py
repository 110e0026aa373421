"""Clients that go away at any moment: their calls are given up, their connections closed."""

import asyncio
import time
from random import Random

import psutil
import pytest
from digit_questions import MODEL, Questions
from farm_process import FarmProcess
from faulty_farm import settled, until
from history import violations
from recorded_load import RecordedLoad

from farm.client import AdminClient, AsyncFarmClient
from farm.core.errors import FarmError
from farm.core.ledger import WasteKind

pytestmark = [pytest.mark.integration, pytest.mark.faults]

CALLS = 2_000
# Answers take some milliseconds: a call is given up before, while and after it is answered.
LONGEST_S = 0.02


async def test_calls_given_up_at_any_stage_harm_nobody(
    whole_farm: FarmProcess, questions: Questions
) -> None:
    random = Random(7)
    image = {"image": next(iter(questions.images.values()))}

    async def give_up(client: AsyncFarmClient) -> None:
        call = asyncio.create_task(client.infer(MODEL, image, timeout_s=30))
        await asyncio.sleep(random.uniform(0, LONGEST_S))
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)

    began_unix_ns = time.time_ns()
    async with (
        RecordedLoad(whole_farm.grpc, questions, callers=4) as polite,
        AsyncFarmClient(whole_farm.grpc, retries=0) as client,
    ):
        for _ in range(CALLS // 50):
            await asyncio.gather(*(give_up(client) for _ in range(50)))
    assert violations(polite.history, questions.truth) == []
    await settled(whole_farm.metrics)
    with AdminClient(whole_farm.grpc) as admin:

        def shared() -> bool:
            return any(
                batch.requests and WasteKind.CANCELLED in batch.waste
                for batch in admin.ledger_records(began_unix_ns)
            )

        await until(shared, "some are told to have left a batch whose others were answered")


async def test_connections_cut_in_the_middle_harm_nobody(
    whole_farm: FarmProcess, questions: Questions
) -> None:
    gateway = psutil.Process(whole_farm.process.pid)
    image = {"image": next(iter(questions.images.values()))}

    async def cut(number: int) -> None:
        async with AsyncFarmClient(whole_farm.grpc, retries=0) as client:
            calls = [asyncio.create_task(client.infer(MODEL, image)) for _ in range(8)]
            await asyncio.sleep(number % 5 * 0.002)
        # The block has closed the connection beneath them.
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(each, FarmError) for each in outcomes if isinstance(each, Exception))

    async with RecordedLoad(whole_farm.grpc, questions, callers=4) as polite:
        before = gateway.num_fds()
        for start in range(0, 100, 10):
            await asyncio.gather(*(cut(start + number) for number in range(10)))
        await until(lambda: gateway.num_fds() <= before, "every connection is closed")
    assert violations(polite.history, questions.truth) == []
    await settled(whole_farm.metrics)
