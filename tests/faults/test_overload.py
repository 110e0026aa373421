"""More requests than a farm can answer: it answers what it can, and refuses the rest early."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from farm_process import FarmProcess
from faulty_farm import settled
from metrics_page import counted
from served_models import write_slow

from farm.client import FarmClient
from farm.client.codec import to_request
from farm.client.load.generator import LoadPlan, LoadResult, run_load
from farm.core.errors import ErrorCode

pytestmark = [pytest.mark.integration, pytest.mark.faults]

# A tenth of a second or so on any machine: load is a question of arithmetic, not of sockets.
STEPS = np.array([[20_000]], dtype=np.int64)
MAX_QUEUE = 50
# What a client may be told that asks too much: at once, in the queue, or by its own clock.
REFUSALS = {
    ErrorCode.QUEUE_FULL,
    ErrorCode.OVERLOADED,
    ErrorCode.QUEUE_TIMEOUT,
    ErrorCode.DEADLINE_EXCEEDED,
}


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarmProcess]:
    folder = tmp_path_factory.mktemp("overloaded")
    models = folder / "models"
    models.mkdir()
    write_slow(
        models,
        "slow",
        f"dynamic_batching {{ default_queue_policy {{ max_queue_size: {MAX_QUEUE} }} }}",
    )
    with FarmProcess(folder, "--nodes", "2", "--models", str(models)) as process:
        yield process


@contextmanager
def longest_queue(farm: FarmProcess) -> Iterator[list[float]]:
    """Look at how many requests wait while the block lasts; the list is of what was seen."""
    seen: list[float] = []
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.1):
            seen.append(counted(farm.metrics, "farm_queued_requests"))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


async def asked(farm: FarmProcess, **plan: Any) -> LoadResult:
    request = to_request("slow", {"STEPS": STEPS})
    return await run_load(farm.grpc, LoadPlan(request=request, rows=1, **plan))


@pytest.mark.parametrize("times", [2, 10])
async def test_overload_is_refused_and_the_rest_is_answered(farm: FarmProcess, times: int) -> None:
    with FarmClient(farm.grpc) as client:
        began_s = time.monotonic()
        client.infer("slow", {"STEPS": STEPS})
        alone_s = time.monotonic() - began_s
    timeout_s = max(20 * alone_s, 1.0)
    peak = await asked(farm, concurrency=8, duration_s=4.0, timeout_s=30.0)
    assert not peak.errors
    with longest_queue(farm) as queues:
        flooded = await asked(
            farm, rate_per_s=times * peak.requests_per_s, duration_s=4.0, timeout_s=timeout_s
        )
    await settled(farm.metrics)
    assert set(flooded.errors) <= REFUSALS
    assert max(queues) <= MAX_QUEUE
    # Nothing ran whose client had gone.
    assert counted(farm.metrics, "farm_rows_wasted_total", kind="expired") == 0
