"""Deadlines, queueing timeouts and priorities, as tritonclient sets them."""

import queue
import threading
import time
from collections.abc import Iterator

import pytest
import tritonclient.grpc as triton
from farm_process import FarmProcess, wait_until
from triton_requests import answers_to, numbered, steps
from tritonclient.utils import InferenceServerException

from farm.client import AdminClient

pytestmark = pytest.mark.integration

Answer = tuple[str, InferenceServerException | None]


@pytest.fixture(scope="module")
def client(samples: FarmProcess) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(samples.grpc) as opened:
        yield opened


@pytest.fixture
def admin(samples: FarmProcess) -> Iterator[AdminClient]:
    with AdminClient(samples.grpc) as opened:
        yield opened


class Outcomes:
    """Asynchronous requests under names, and the order in which they ended."""

    def __init__(self, client: triton.InferenceServerClient) -> None:
        self._client = client
        self._ended: queue.Queue[Answer] = queue.Queue()
        self._sent = 0

    def send(self, name: str, count: int, **options: object) -> None:
        self._sent += 1
        self._client.async_infer(
            "slow",
            steps(count),
            callback=lambda result, error: self._ended.put((name, error)),
            **options,
        )

    def all(self) -> list[Answer]:
        return [self._ended.get(timeout=90) for _ in range(self._sent)]


LONG, SHORT = 500_000, 1_000


@pytest.fixture
def busy(client: triton.InferenceServerClient, admin: AdminClient) -> Iterator[Outcomes]:
    """The only node is busy for a while, and what is sent now waits."""
    outcomes = Outcomes(client)
    for _ in range(3):
        outcomes.send("long", LONG)
    # One runs, at most one waits at the node, the rest in the farm's queue.
    wait_until(
        lambda: admin.snapshot().queued_requests > 0, timeout_s=30, what="requests have to wait"
    )
    yield outcomes
    wait_until(
        lambda: (admin.snapshot().queued_requests, admin.snapshot().inflight_batches) == (0, 0),
        timeout_s=60,
        what="the farm is idle again",
    )


def test_a_client_timeout_is_a_deadline(client: triton.InferenceServerClient) -> None:
    started = time.monotonic()
    with pytest.raises(InferenceServerException) as caught:
        client.infer("slow", steps(LONG), client_timeout=0.1)
    assert caught.value.status() == "StatusCode.DEADLINE_EXCEEDED"
    assert time.monotonic() - started < 5
    assert answers_to(2, client.infer("simple", numbered(2)))


def test_a_queueing_timeout_is_effective_in_the_queue(busy: Outcomes) -> None:
    busy.send("hasty", SHORT, timeout=50_000)
    busy.send("patient", SHORT)
    ended = busy.all()
    hasty = dict(ended)["hasty"]
    assert hasty is not None
    assert hasty.status() == "StatusCode.UNAVAILABLE"
    assert "timeout" in hasty.message() or "waited" in hasty.message()
    assert [error for name, error in ended if name != "hasty" and error is not None] == []
    names = [name for name, _ in ended]
    assert names.index("hasty") < names.index("patient"), "it was told when its time was up"


def test_a_queueing_timeout_that_is_long_enough_changes_nothing(
    client: triton.InferenceServerClient,
) -> None:
    assert answers_to(4, client.infer("simple", numbered(4), timeout=60_000_000))


def test_a_deadline_is_effective_in_the_queue(busy: Outcomes) -> None:
    busy.send("hasty", SHORT, client_timeout=0.05)
    ended = busy.all()
    hasty = dict(ended)["hasty"]
    assert hasty is not None
    assert hasty.status() == "StatusCode.DEADLINE_EXCEEDED"
    assert [error for name, error in ended if name == "long" and error is not None] == []


def test_the_higher_priority_goes_first(busy: Outcomes, admin: AdminClient) -> None:
    before = admin.snapshot().queued_requests
    for name in ("low", "low", "low"):
        busy.send(name, SHORT, priority=2)
    wait_until(
        lambda: admin.snapshot().queued_requests >= before + 2,
        timeout_s=10,
        what="the low ones wait",
    )
    busy.send("high", SHORT, priority=1)
    ended = busy.all()
    assert [error for _, error in ended if error is not None] == []
    names = [name for name, _ in ended]
    assert names.index("high") < names.index("low")


def test_a_priority_that_the_model_does_not_have_is_its_default(
    client: triton.InferenceServerClient,
) -> None:
    for priority in (0, 1, 2, 3, 1_000_000):
        client.infer("slow", steps(1), priority=priority)


def test_threads_may_share_a_client(client: triton.InferenceServerClient) -> None:
    wrong: list[object] = []

    def send(start: int) -> None:
        try:
            for position in range(start, start + 50):
                if not answers_to(position, client.infer("simple", numbered(position))):
                    wrong.append(position)
        except InferenceServerException as error:
            wrong.append(error)

    threads = [threading.Thread(target=send, args=(start * 100,)) for start in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []
