"""More requests than a farm can answer: it answers what it can, and refuses the rest early."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from farm_process import FarmProcess
from faulty_farm import settled
from figures import tell
from history import Truth, quantile, violations
from metrics_page import counted
from recorded_flood import MODEL, flood, question, refusals_s, truth_of
from repeated_looks import RepeatedLooks
from served_models import write_slow

from farm.client import FarmClient
from farm.client.codec import to_request
from farm.client.load.generator import LoadPlan, run_load
from farm.core.errors import ErrorCode

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.timeout(300)]

# A tenth of a second or so on any machine: load is a question of arithmetic, not of sockets.
STEPS = range(20_000, 20_010)
WARM_S, MEASURED_S = 2.0, 10.0
# A core is left to the gateway and its clients, who would have machines of their own: else what
# they use to ask and to refuse is taken from the nodes, and looks like a farm that does less.
NODES = max(1, len(os.sched_getaffinity(0)) - 1)
MAX_QUEUE = 50
# Of those that run: hundreds would be if work were begun that had expired.
MAY_EXPIRE = 0.1
# What a client may be told that asks too much: at once, in the queue, or by its own clock.
REFUSALS = {
    ErrorCode.QUEUE_FULL,
    ErrorCode.OVERLOADED,
    ErrorCode.QUEUE_TIMEOUT,
    ErrorCode.DEADLINE_EXCEEDED,
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("overloaded") / "models"
    folder.mkdir()
    write_slow(
        folder,
        MODEL,
        f"dynamic_batching {{ default_queue_policy {{ max_queue_size: {MAX_QUEUE} }} }}",
    )
    return folder


@pytest.fixture(scope="module")
def farm(models: Path) -> Iterator[FarmProcess]:
    with FarmProcess(models.parent, "--nodes", str(NODES), "--models", str(models)) as process:
        yield process


@pytest.fixture(scope="module")
def truth(models: Path) -> Truth:
    return truth_of(models, STEPS)


class LongestQueue(RepeatedLooks):
    """Looks at how many requests wait while the block lasts; `longest` is the most there were."""

    def __init__(self, farm: FarmProcess) -> None:
        super().__init__()
        self._metrics = farm.metrics
        self.longest = 0.0

    def look(self) -> None:
        self.longest = max(self.longest, counted(self._metrics, "farm_queued_requests"))


async def peak_per_s(farm: FarmProcess) -> float:
    """Return how many requests a second the farm answers of callers that wait for it."""
    plan = LoadPlan(
        request=to_request(MODEL, {"STEPS": question(STEPS[0])}),
        rows=1,
        concurrency=8,
        warmup_s=WARM_S,
        duration_s=MEASURED_S,
        timeout_s=60.0,
    )
    result = await run_load(farm.grpc, plan)
    assert not result.errors
    return result.latency.count / MEASURED_S


@pytest.mark.parametrize("times", [2, 10])
async def test_overload_is_refused_and_the_rest_is_answered(
    farm: FarmProcess, truth: Truth, times: int, request: pytest.FixtureRequest
) -> None:
    with FarmClient(farm.grpc) as client:
        began_s = time.monotonic()
        client.infer(MODEL, {"STEPS": question(STEPS[0])})
        alone_s = time.monotonic() - began_s
    timeout_s = max(20 * alone_s, 1.0)
    peak = await peak_per_s(farm)
    wasted_before = counted(farm.metrics, "farm_rows_wasted_total", kind="expired")
    with LongestQueue(farm) as queue:
        began_s = time.monotonic()
        history = await flood(
            farm.grpc,
            STEPS,
            rate_per_s=times * peak,
            duration_s=WARM_S + MEASURED_S,
            timeout_s=timeout_s,
        )
    await settled(farm.metrics)
    assert violations(history, truth, allowed=REFUSALS) == []
    # As the peak is: answers that came in a time in which the queue was full.
    warm_s = began_s + WARM_S
    answers_in_time = history.answers(since_s=warm_s, until_s=warm_s + MEASURED_S)
    goodput_per_s = sum(1 for _ in answers_in_time) / MEASURED_S
    # Far from what is measured, and from a farm that breaks down.
    assert goodput_per_s > peak / 2
    assert queue.longest <= MAX_QUEUE
    # What had expired was not begun. Where others slow this machine down, a few that were begun
    # in time expire before they end.
    wasted = counted(farm.metrics, "farm_rows_wasted_total", kind="expired") - wasted_before
    answered = sum(1 for _ in history.answers())
    assert wasted <= answered * MAY_EXPIRE
    refused_s = sorted(refusals_s(history, ErrorCode.QUEUE_FULL, ErrorCode.OVERLOADED))
    assert refused_s
    tell(
        request.node.name,
        answered=answered,
        expired_while_running=wasted,
        refused=len(refused_s),
        goodput_of_peak=goodput_per_s / peak,
        refusal_of_timeout=quantile(refused_s, 0.99) / timeout_s,
        longest_queue=queue.longest,
    )
