"""ModelStreamInfer through tritonclient: in flight together, answered one by one, to the end."""

import asyncio
import queue
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from farm_process import FarmProcess, wait_until
from triton_requests import answers_to, given, numbered, steps
from tritonclient.utils import InferenceServerException

from farm.client import AdminClient

pytestmark = pytest.mark.integration

Answer = tuple[triton.InferResult | None, InferenceServerException | None]


class Stream:
    """One stream of a tritonclient, whose answers wait in a queue."""

    def __init__(self, client: triton.InferenceServerClient) -> None:
        self.client = client
        self.answers: queue.Queue[Answer] = queue.Queue()

    def start(self, **options: object) -> None:
        self.client.start_stream(
            callback=lambda result, error: self.answers.put((result, error)), **options
        )

    def send(self, position: int, model: str = "simple", inputs: object = None) -> None:
        self.client.async_stream_infer(
            model, inputs if inputs is not None else numbered(position), request_id=str(position)
        )

    def receive(self) -> Answer:
        return self.answers.get(timeout=60)

    def received(self) -> list[Answer]:
        """What has come so far; all there is once the stream is stopped."""
        found = []
        while not self.answers.empty():
            found.append(self.answers.get_nowait())
        return found


@pytest.fixture
def stream(samples: FarmProcess) -> Iterator[Stream]:
    with triton.InferenceServerClient(samples.grpc) as client:
        opened = Stream(client)
        yield opened
        client.stop_stream(cancel_requests=True)


@pytest.fixture
def admin(samples: FarmProcess) -> Iterator[AdminClient]:
    with AdminClient(samples.grpc) as opened:
        yield opened


def test_every_request_has_one_answer_under_its_id(stream: Stream) -> None:
    stream.start()
    for position in range(500):
        stream.send(position)
    seen: Counter[str] = Counter()
    for _ in range(500):
        result, error = stream.receive()
        assert error is None, error
        assert result is not None
        mark = result.get_response().id
        assert answers_to(int(mark), result)
        seen[mark] += 1
    assert seen == Counter(str(position) for position in range(500))


def test_requests_of_one_stream_are_batched(stream: Stream) -> None:
    stream.start()
    for position in range(500):
        stream.send(position)
    stream.client.stop_stream()
    sizes = [
        result.get_response().parameters["farm_batch_size"].int64_param
        for result, _ in stream.received()
        if result is not None
    ]
    assert len(sizes) == 500
    assert max(sizes) > 1, "they were in flight together, so some shared a batch"


def test_stopping_waits_for_every_answer(stream: Stream) -> None:
    """tritonclient half-closes, then waits until the server ends the stream."""
    stream.start()
    stream.send(0, "slow", steps())
    for position in range(1, 100):
        stream.send(position)
    stream.client.stop_stream()
    answers = stream.received()
    assert len(answers) == 100
    assert [error for _, error in answers if error is not None] == []


def test_a_failed_request_leaves_its_stream_alone(stream: Stream) -> None:
    stream.start()
    wrong = {
        10: ("nobody", numbered(10), "'nobody'"),
        11: ("simple", numbered(11)[:1], "'INPUT1' is missing"),
        12: ("simple", numbered(12, rows=9), "at most 8 rows"),
        13: ("simple_identity", numbered(13)[:1], "must be BYTES, not INT32"),
    }
    for position in range(30):
        if position in wrong:
            stream.send(position, *wrong[position][:2])
        else:
            stream.send(position)
    stream.client.stop_stream()
    answers = stream.received()
    good = {int(result.get_response().id) for result, error in answers if error is None}
    assert good == set(range(30)) - set(wrong)
    messages = [error.message() for _, error in answers if error is not None]
    assert len(messages) == len(wrong)
    for _, _, words in wrong.values():
        assert any(words in message for message in messages), (words, messages)
    assert not any("Traceback" in message for message in messages)


def test_models_may_be_mixed_on_one_stream(stream: Stream) -> None:
    stream.start()
    words = np.array([[b"a", b"", "ü".encode()]], dtype=object)
    for position in range(40):
        if position % 2:
            stream.send(position)
        else:
            stream.send(position, "simple_identity", [given("INPUT0", words)])
    stream.client.stop_stream()
    answers = stream.received()
    assert len(answers) == 40
    for result, error in answers:
        assert error is None, error
        position = int(result.get_response().id)
        if position % 2:
            assert answers_to(position, result)
        else:
            assert result.as_numpy("OUTPUT0").tolist() == words.tolist()


def test_a_cancelled_stream_leaves_nothing_behind(
    stream: Stream, admin: AdminClient, samples: FarmProcess
) -> None:
    stream.start()
    stream.send(0, "slow", steps())
    for position in range(1, 200):
        stream.send(position)
    stream.client.stop_stream(cancel_requests=True)
    answers = stream.received()
    assert [e.status() for _, e in answers if e is not None] == ["StatusCode.CANCELLED"]
    wait_until(
        lambda: (admin.snapshot().queued_requests, admin.snapshot().inflight_batches) == (0, 0),
        timeout_s=30,
        what="what was cancelled is gone",
    )
    with triton.InferenceServerClient(samples.grpc) as other:
        assert answers_to(7, other.infer("simple", numbered(7)))


def test_a_stream_has_a_deadline(stream: Stream) -> None:
    """It is each request's too, which may be refused before the stream ends."""
    stream.start(stream_timeout=0.2)
    stream.send(0, "slow", steps())
    _, error = stream.receive()
    assert error is not None
    if error.status() is None:
        _, error = stream.receive()
        assert error is not None
    assert error.status() == "StatusCode.DEADLINE_EXCEEDED"


def test_an_empty_final_response_is_not_sent_unasked(stream: Stream) -> None:
    stream.start()
    stream.send(1)
    stream.client.stop_stream()
    assert len(stream.received()) == 1


async def test_the_aio_clients_stream(samples: FarmProcess) -> None:
    async def requests() -> AsyncIterator[dict[str, object]]:
        for position in range(100):
            model = "nobody" if position == 50 else "simple"
            yield {
                "model_name": model,
                "inputs": numbered(position),
                "request_id": str(position),
            }

    seen, errors = set(), []
    async with triton_aio.InferenceServerClient(samples.grpc) as client:
        async for result, error in client.stream_infer(requests()):
            if error is not None:
                errors.append(error)
            else:
                position = int(result.get_response().id)
                assert answers_to(position, result)
                seen.add(position)
    assert seen == set(range(100)) - {50}
    assert len(errors) == 1
    assert "'nobody'" in errors[0].message()


async def test_a_client_that_does_not_read_does_not_fill_the_gateway(
    samples: FarmProcess, admin: AdminClient
) -> None:
    """Back-pressure: a stream takes no more requests than it could answer."""
    words = np.full((8, 16), b"w" * 64, dtype=object)
    request = [given("INPUT0", words)]
    taken = 0
    total = 6_000

    async def requests() -> AsyncIterator[dict[str, object]]:
        nonlocal taken
        for position in range(total):
            taken += 1
            yield {
                "model_name": "simple_identity",
                "inputs": request,
                "request_id": str(position),
            }

    before = samples.resident_bytes()
    async with triton_aio.InferenceServerClient(samples.grpc) as client:
        answers = client.stream_infer(requests())
        await anext(answers)
        seen, still = 0, 0
        while still < 20:
            await asyncio.sleep(0.05)
            still = still + 1 if taken == seen else 0
            seen = taken
        assert taken < total, "requests were taken in as if answers were read"
        assert samples.resident_bytes() - before < 100 << 20
        count = 1
        async for result, error in answers:
            assert error is None, error
            assert result is not None
            count += 1
    assert count == total
    assert admin.snapshot().queued_requests == 0
