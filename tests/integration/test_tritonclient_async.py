"""tritonclient's callbacks and its asyncio client: many at once, and some cancelled."""

import asyncio
import queue
from collections.abc import Iterator

import pytest
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from farm_process import FarmProcess, wait_until
from triton_requests import answers_to, numbered, steps
from tritonclient.utils import InferenceServerException

from farm.client import AdminClient

pytestmark = pytest.mark.integration

Answer = tuple[int, triton.InferResult | None, InferenceServerException | None]


@pytest.fixture(scope="module")
def client(samples: FarmProcess) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(samples.grpc) as opened:
        yield opened


@pytest.fixture
def admin(samples: FarmProcess) -> Iterator[AdminClient]:
    with AdminClient(samples.grpc) as opened:
        yield opened


def test_callbacks_get_their_own_answers(client: triton.InferenceServerClient) -> None:
    answers: queue.Queue[Answer] = queue.Queue()
    for position in range(200):
        client.async_infer(
            "simple",
            numbered(position),
            callback=lambda result, error, position=position: answers.put(
                (position, result, error)
            ),
            request_id=str(position),
        )
    for _ in range(200):
        position, result, error = answers.get(timeout=30)
        assert error is None
        assert result is not None
        assert result.get_response().id == str(position)
        assert answers_to(position, result)


def test_a_callback_is_told_of_an_error(client: triton.InferenceServerClient) -> None:
    answers: queue.Queue[Answer] = queue.Queue()
    client.async_infer(
        "nobody", numbered(0), callback=lambda result, error: answers.put((0, result, error))
    )
    _, result, error = answers.get(timeout=30)
    assert result is None
    assert error is not None
    assert error.status() == "StatusCode.NOT_FOUND"


def test_cancelling_some_callbacks_leaves_the_others_alone(
    client: triton.InferenceServerClient, admin: AdminClient
) -> None:
    answers: queue.Queue[Answer] = queue.Queue()

    def callback(position: int):
        return lambda result, error: answers.put((position, result, error))

    # What is sent while the node is busy waits in the queue, where it can be cancelled.
    client.async_infer("slow", steps(), callback=callback(-1))
    contexts = [
        client.async_infer("simple", numbered(position), callback=callback(position))
        for position in range(40)
    ]
    for position in range(0, 40, 2):
        contexts[position].cancel()
    outcomes = {}
    for _ in range(41):
        position, result, error = answers.get(timeout=60)
        outcomes[position] = (result, error)
    assert outcomes.pop(-1)[1] is None
    for position, (result, error) in outcomes.items():
        if position % 2:
            assert error is None, error
            assert answers_to(position, result)
        elif error is not None:
            assert error.status() == "StatusCode.CANCELLED"
    assert sum(error is not None for _, error in outcomes.values()) > 0
    wait_until(
        lambda: admin.snapshot().queued_requests == 0, timeout_s=20, what="the queue is empty"
    )


def test_the_deadline_of_a_callback(client: triton.InferenceServerClient) -> None:
    answers: queue.Queue[Answer] = queue.Queue()
    client.async_infer(
        "slow",
        steps(),
        callback=lambda result, error: answers.put((0, result, error)),
        client_timeout=0.05,
    )
    _, _, error = answers.get(timeout=30)
    assert error is not None
    assert error.status() == "StatusCode.DEADLINE_EXCEEDED"


async def test_the_aio_client_at_once(samples: FarmProcess) -> None:
    async with triton_aio.InferenceServerClient(samples.grpc) as client:
        results = await asyncio.gather(
            *(client.infer("simple", numbered(position)) for position in range(200))
        )
    assert all(answers_to(position, result) for position, result in enumerate(results))


async def test_a_cancelled_coroutine_leaves_its_neighbours_alone(
    samples: FarmProcess, admin: AdminClient
) -> None:
    async with triton_aio.InferenceServerClient(samples.grpc) as client:
        busy = asyncio.create_task(client.infer("slow", steps()))
        tasks = [
            asyncio.create_task(client.infer("simple", numbered(position)))
            for position in range(40)
        ]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        await busy
    for position, outcome in enumerate(outcomes):
        if position % 2:
            assert not isinstance(outcome, BaseException), outcome
            assert answers_to(position, outcome)
        else:
            assert isinstance(outcome, asyncio.CancelledError)
    wait_until(
        lambda: admin.snapshot().queued_requests == 0, timeout_s=20, what="the queue is empty"
    )


async def test_the_aio_clients_deadline(samples: FarmProcess) -> None:
    async with triton_aio.InferenceServerClient(samples.grpc) as client:
        with pytest.raises(InferenceServerException) as caught:
            await client.infer("slow", steps(), client_timeout=0.05)
        assert caught.value.status() == "StatusCode.DEADLINE_EXCEEDED"
        assert answers_to(3, await client.infer("simple", numbered(3)))
