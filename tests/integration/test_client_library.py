"""The farm's own client, blocking and asyncio, against a real farm."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator

import numpy as np
import pytest
from farm_process import FarmProcess, wait_until
from local_answers import Digits
from served_models import DIGIT_NAMES, SLOW_STEPS

from farm.client import AdminClient, AsyncFarmClient, FarmClient, TensorMetadata
from farm.core.errors import (
    DeadlineExceededError,
    ExecutionFailedError,
    FarmError,
    InvalidRequestError,
    ModelNotFoundError,
    QueueFullError,
    QueueTimeoutError,
    UnreachableError,
    UnsupportedError,
)
from farm.core.tensors import Datatype

pytestmark = pytest.mark.integration

NO_IMAGE = {"image": np.zeros((1, 8), dtype=np.float32)}


@pytest.fixture(scope="module")
def client(samples: FarmProcess) -> Iterator[FarmClient]:
    with FarmClient(samples.grpc) as opened:
        yield opened


@pytest.fixture
async def async_client(samples: FarmProcess) -> AsyncIterator[AsyncFarmClient]:
    async with AsyncFarmClient(samples.grpc) as opened:
        yield opened


@pytest.fixture
def admin(samples: FarmProcess) -> Iterator[AdminClient]:
    with AdminClient(samples.grpc) as opened:
        yield opened


def steps(count: int) -> dict[str, np.ndarray]:
    return {"STEPS": np.array([[count]], dtype=np.int64)}


def image(digits: Digits, index: int) -> dict[str, np.ndarray]:
    return {"image": digits.images[index : index + 1]}


def await_idle(admin: AdminClient) -> None:
    wait_until(
        lambda: (admin.snapshot().queued_requests, admin.snapshot().inflight_batches) == (0, 0),
        timeout_s=60,
        what="the farm is idle",
    )


# -- the blocking client -------------------------------------------------------------------


def test_metadata_and_readiness(client: FarmClient) -> None:
    assert client.live()
    assert client.ready()
    assert client.model_ready("digits")
    assert client.model_ready("digits", "1")
    assert not client.model_ready("digits", "2")
    assert not client.model_ready("nobody")
    metadata = client.metadata("digits")
    assert (metadata.name, metadata.versions) == ("digits", ("1",))
    assert metadata.inputs == (
        TensorMetadata(name="image", datatype=Datatype.FP32, shape=(-1, 1, 8, 8)),
    )
    assert [output.name for output in metadata.outputs] == ["probabilities", "label"]
    assert client.config("named_digits").max_batch_size == 64


def test_infer_and_its_receipt(client: FarmClient, admin: AdminClient, digits: Digits) -> None:
    result = client.infer("digits", {"image": digits.images[:5]}, request_id="five")
    assert (result.id, result.model, result.version) == ("five", "digits", "1")
    assert result["probabilities"].tobytes() == digits.probabilities[:5].tobytes()
    assert result["label"].tolist() == digits.labels[:5].tolist()
    receipt = result.receipt
    assert receipt.node == admin.snapshot().nodes[0].node_id
    assert receipt.batch_size == 5
    assert receipt.compute_us is not None
    assert receipt.compute_us > 0
    [described] = admin.describe("digits")
    assert receipt.model_digest == described.snapshot.digest
    assert receipt.model_digest in receipt._repr_html_()
    assert not client.infer("digits", image(digits, 0), receipt=False).receipt


def test_options_of_a_request(client: FarmClient, digits: Digits) -> None:
    result = client.infer(
        "named_digits",
        image(digits, 3),
        version="1",
        abi=">=1,<2",
        outputs=["label", "probabilities"],
        classes={"probabilities": 2},
        priority=1,
        queue_timeout_s=30,
        timeout_s=30,
    )
    assert list(result.outputs) == ["label", "probabilities"]
    first = result["probabilities"][0, 0].decode()
    assert first.split(":")[1:] == [str(digits.labels[3]), DIGIT_NAMES[digits.labels[3]]]


def test_texts(client: FarmClient) -> None:
    words = np.array([["", "two words", "Grüße"]], dtype=object)
    answered = client.infer("simple_identity", {"INPUT0": words})["OUTPUT0"]
    assert [word.decode() for word in answered.flat] == list(words.flat)


def test_statistics_count_what_was_sent(client: FarmClient, digits: Digits) -> None:
    [before] = client.statistics("named_digits")
    for _ in range(2):
        client.infer("named_digits", {"image": digits.images[:3]})
    with pytest.raises(InvalidRequestError):
        client.infer("named_digits", NO_IMAGE)
    [after] = client.statistics("named_digits", "1")
    assert after.inference_count - before.inference_count == 6
    success, earlier = after.inference_stats.success, before.inference_stats.success
    assert success.count - earlier.count == 2
    assert success.ns > earlier.ns
    assert {counted.name for counted in client.statistics()} >= {"digits", "simple", "slow"}


def test_a_stream_answers_every_request(client: FarmClient, digits: Digits) -> None:
    count = 200
    requests = (image(digits, index) for index in range(count))
    answered = {answer.index: answer for answer in client.stream("digits", requests, window=32)}
    assert sorted(answered) == list(range(count))
    for index, answer in answered.items():
        alone = digits.probabilities[index]
        assert answer.unwrap()["probabilities"][0].tobytes() == alone.tobytes()


def test_a_request_that_fails_does_not_end_its_stream(client: FarmClient, digits: Digits) -> None:
    requests = [image(digits, 0), NO_IMAGE, image(digits, 2)]
    answers = sorted(client.stream("digits", requests), key=lambda answer: answer.index)
    assert [answer.error is None for answer in answers] == [True, False, True]
    with pytest.raises(InvalidRequestError, match="image"):
        answers[1].unwrap()
    with pytest.raises(InvalidRequestError, match="image"):
        client.infer("digits", NO_IMAGE)


def test_a_stream_may_be_left(client: FarmClient, admin: AdminClient, digits: Digits) -> None:
    def endless() -> Iterator[dict[str, np.ndarray]]:
        while True:
            yield image(digits, 0)

    answers = client.stream("digits", endless(), window=8)
    for _ in range(20):
        next(answers).unwrap()
    answers.close()
    await_idle(admin)
    assert client.infer("digits", image(digits, 1))["label"].tolist() == [digits.labels[1]]


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        pytest.param(lambda c: c.infer("nobody", NO_IMAGE), ModelNotFoundError, id="unknown model"),
        pytest.param(
            lambda c: c.infer("slow", steps(1), version="7"), ModelNotFoundError, id="version"
        ),
        pytest.param(lambda c: c.infer("slow", steps(1), abi=">=2"), ModelNotFoundError, id="ABI"),
        pytest.param(lambda c: c.metadata("nobody"), ModelNotFoundError, id="metadata"),
        pytest.param(lambda c: c.infer("digits", NO_IMAGE), InvalidRequestError, id="shape"),
        pytest.param(
            lambda c: c.infer("slow", steps(1), parameters={"sequence_id": 1}),
            UnsupportedError,
            id="sequence",
        ),
        pytest.param(
            lambda c: c.infer(
                "simple_string",
                {name: np.full((1, 16), "no number") for name in ("INPUT0", "INPUT1")},
            ),
            ExecutionFailedError,
            id="data that the model fails on",
        ),
        pytest.param(
            lambda c: c.infer("slow", steps(SLOW_STEPS // 5), timeout_s=0.05),
            DeadlineExceededError,
            id="deadline",
        ),
    ],
)
def test_errors_have_their_types(
    client: FarmClient, call: Callable[[FarmClient], object], kind: type[FarmError]
) -> None:
    with pytest.raises(kind) as caught:
        call(client)
    assert type(caught.value) is kind
    assert caught.value.message


def test_nobody_there() -> None:
    with FarmClient("127.0.0.1:9", retries=0) as client, pytest.raises(UnreachableError):
        client.live()


@pytest.fixture
def busy(samples: FarmProcess, admin: AdminClient) -> Iterator[None]:
    """The only node runs something slow, and one more waits behind it in each place there is."""
    await_idle(admin)

    def occupy() -> None:
        with FarmClient(samples.grpc, retries=0) as client:
            client.infer("impatient", steps(SLOW_STEPS // 2))

    threads = []
    for place in range(3):
        threads.append(threading.Thread(target=occupy))
        threads[-1].start()
        wait_until(
            lambda taken=place + 1: (
                admin.snapshot().queued_requests + admin.snapshot().inflight_batches >= taken
            ),
            timeout_s=30,
            what="the next place is taken",
        )
    yield
    for thread in threads:
        thread.join(90)
    await_idle(admin)


def test_a_full_queue_and_the_time_in_one(
    busy: None, samples: FarmProcess, client: FarmClient
) -> None:
    with FarmClient(samples.grpc, retries=0) as hasty:
        with pytest.raises(QueueFullError) as full:
            hasty.infer("impatient", steps(1))
        assert full.value.retry_after_s is not None
        assert full.value.retry_after_s > 0
        with pytest.raises(QueueTimeoutError) as late:
            hasty.infer("slow", steps(1), queue_timeout_s=0.02)
        assert late.value.retry_after_s is not None
    # Who comes back when told to gets an answer in the end.
    with FarmClient(samples.grpc, retries=1000) as patient:
        assert patient.infer("impatient", steps(1), timeout_s=60)["DONE"].tolist() == [[1]]


# -- the asyncio client --------------------------------------------------------------------


async def test_async_infer(async_client: AsyncFarmClient, digits: Digits) -> None:
    assert await async_client.live()
    assert await async_client.ready()
    assert await async_client.model_ready("digits")
    assert (await async_client.metadata("digits")).versions == ("1",)
    assert (await async_client.config("digits")).platform == "onnxruntime_onnx"
    [before] = await async_client.statistics("digits")
    results = await asyncio.gather(
        *(async_client.infer("digits", image(digits, index)) for index in range(100))
    )
    for index, result in enumerate(results):
        assert result["probabilities"][0].tobytes() == digits.probabilities[index].tobytes()
    [after] = await async_client.statistics("digits")
    assert after.inference_count - before.inference_count == 100


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_async_stream(
    async_client: AsyncFarmClient, digits: Digits, asynchronous: bool
) -> None:
    requests = [image(digits, index) for index in range(100)]
    requests[40] = NO_IMAGE

    async def one_by_one() -> AsyncIterator[dict[str, np.ndarray]]:
        for request in requests:
            yield request

    source = one_by_one() if asynchronous else requests
    answers = [answer async for answer in async_client.stream("digits", source, window=16)]
    assert sorted(answer.index for answer in answers) == list(range(100))
    for answer in answers:
        if answer.index == 40:
            assert isinstance(answer.error, InvalidRequestError)
        else:
            assert answer.unwrap()["label"].tolist() == [digits.labels[answer.index]]


async def test_async_errors_and_cancellation(
    async_client: AsyncFarmClient, admin: AdminClient, digits: Digits
) -> None:
    with pytest.raises(ModelNotFoundError):
        await async_client.infer("nobody", NO_IMAGE)
    with pytest.raises(DeadlineExceededError):
        await async_client.infer("slow", steps(SLOW_STEPS // 5), timeout_s=0.05)
    running = asyncio.create_task(async_client.infer("slow", steps(SLOW_STEPS // 5)))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    result = await async_client.infer("digits", image(digits, 0))
    assert result["label"].tolist() == [digits.labels[0]]
    await asyncio.to_thread(await_idle, admin)
