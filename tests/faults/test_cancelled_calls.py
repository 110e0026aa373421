"""Calls that are given up while they wait, run, are answered, stream, or while models load."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from random import Random
from typing import Any

import big_answers
import numpy as np
import pytest
from digit_questions import MODEL, Questions
from farm_process import FarmProcess
from faulty_farm import settled, until
from history import violations
from metrics_page import counted
from numpy.typing import NDArray
from recorded_load import RecordedLoad

from farm.client import AdminClient, AsyncFarmClient, InferResult
from farm.core.errors import DeadlineExceededError, ErrorCode

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.timeout(300)]

# Of the slow model: long enough to be seen running, and enough of them to be seen waiting.
LONG, CALLS = 40_000, 24


async def given_up(*calls: "asyncio.Task[Any]") -> None:
    """Cancel calls and see that each has ended, one way or another."""
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)


async def test_calls_given_up_while_others_wait_and_run_leave_those_alone(
    whole_farm: FarmProcess,
) -> None:
    async with AsyncFarmClient(whole_farm.grpc, retries=0) as client:

        def ask(steps: int) -> "asyncio.Task[InferResult]":
            inputs = {"STEPS": np.array([[steps]], dtype=np.int64)}
            return asyncio.create_task(client.infer("slow", inputs, timeout_s=250))

        def cancelled() -> float:
            return counted(whole_farm.metrics, "farm_requests_total", outcome=ErrorCode.CANCELLED)

        before = cancelled()
        calls = [ask(LONG + number) for number in range(CALLS)]
        for gauge in ("farm_batches_in_flight", "farm_queued_requests"):
            await until(lambda name=gauge: counted(whole_farm.metrics, name) > 0, f"{gauge} > 0")
        # Of those that run, of those that wait at a node, and of those in the queue: every other.
        await given_up(*calls[::2])
        kept = await asyncio.gather(*calls[1::2])
    assert [result["DONE"].item() for result in kept] == [*range(LONG + 1, LONG + CALLS, 2)]
    await settled(whole_farm.metrics)
    assert cancelled() - before > 0


async def test_answers_given_up_in_the_middle_harm_nobody(
    whole_farm: FarmProcess, questions: Questions
) -> None:
    random = Random(5)
    async with (
        RecordedLoad(whole_farm.grpc, questions, callers=4) as polite,
        AsyncFarmClient(whole_farm.grpc, retries=0) as client,
    ):

        async def give_up() -> None:
            call = asyncio.create_task(
                client.infer(big_answers.MODEL, big_answers.QUESTION, timeout_s=100)
            )
            await asyncio.sleep(random.uniform(0, 0.05))
            await given_up(call)

        for _ in range(20):
            await asyncio.gather(*(give_up() for _ in range(10)))
    assert violations(polite.history, questions.truth) == []
    await settled(whole_farm.metrics)


async def test_streams_given_up_in_the_middle_harm_nobody(
    whole_farm: FarmProcess, questions: Questions
) -> None:
    random = Random(6)

    async def images() -> AsyncIterator[dict[str, NDArray[np.float32]]]:
        while True:
            yield {"image": random.choice(list(questions.images.values()))}

    async with RecordedLoad(whole_farm.grpc, questions, callers=4) as polite:
        async with AsyncFarmClient(whole_farm.grpc, retries=0) as client:

            async def give_up() -> None:
                answers = client.stream(MODEL, images(), window=32)
                left = random.randrange(50)
                async for answer in answers:
                    answer.unwrap()
                    if not left:
                        break
                    left -= 1
                await answers.aclose()

            for _ in range(10):
                await asyncio.gather(*(give_up() for _ in range(5)))
        await polite.answered(200)
    assert violations(polite.history, questions.truth) == []
    await settled(whole_farm.metrics)


async def test_loads_given_up_in_the_middle_harm_nobody(
    whole_farm: FarmProcess, questions: Questions
) -> None:
    random = Random(7)

    def load_and_leave(admin: AdminClient) -> None:
        with suppress(DeadlineExceededError):
            admin.load(big_answers.MODEL, timeout_s=random.uniform(0.02, 0.5))

    async with (
        RecordedLoad(whole_farm.grpc, questions, callers=4) as polite,
        AsyncFarmClient(whole_farm.grpc, retries=0) as client,
    ):
        with AdminClient(whole_farm.grpc) as admin:
            for _ in range(5):
                asked = [
                    asyncio.create_task(
                        client.infer(big_answers.MODEL, big_answers.QUESTION, timeout_s=100)
                    )
                    for _ in range(4)
                ]
                await asyncio.to_thread(load_and_leave, admin)
                await given_up(*asked)
            await asyncio.to_thread(admin.load, big_answers.MODEL)
        answer = await client.infer(big_answers.MODEL, big_answers.QUESTION, timeout_s=100)
        assert answer["y"].nbytes == big_answers.ANSWER_BYTES
    assert violations(polite.history, questions.truth) == []
    await settled(whole_farm.metrics)
