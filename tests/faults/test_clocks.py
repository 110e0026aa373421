"""Clocks that are wrong when a farm starts, and are set while it serves."""

import asyncio
import time
from collections.abc import Iterator
from functools import partial
from itertools import pairwise

import pytest
from digit_questions import MODEL, Questions
from faked_clock import FakedClock
from farm_process import FarmProcess
from faulty_farm import settled, until
from history import History, violations
from recorded_load import RecordedLoad

from farm.client import AdminClient, AsyncFarmClient
from farm.core.ledger import LedgerQuery

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.timeout(300)]

HOUR_S = 3600
# A board without a clock of its own may believe this when it starts.
TEN_YEARS_S = 10 * 365 * 86_400
# Of a receipt; none of them is ever negative.
FIGURES = ("queue_us", "compute_us", "energy_j", "energy_low_j", "energy_high_j")


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> FakedClock:
    return FakedClock(tmp_path_factory.mktemp("clock"), off_by_s=-TEN_YEARS_S)


@pytest.fixture(scope="module")
def farm(clock: FakedClock, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarmProcess]:
    with FarmProcess(
        tmp_path_factory.mktemp("timeless"), "--nodes", "2", environment=clock.environment
    ) as process:
        yield process


def is_off_by(admin: AdminClient, seconds: float) -> bool:
    """Whether the farm's clock is ahead of the right one by so much, within a minute."""
    return abs(admin.snapshot().taken_unix_ns / 1e9 - time.time() - seconds) < 60


async def receipts(farm: FarmProcess, questions: Questions) -> list[dict[str, float]]:
    images = list(questions.images.values())[:20]
    async with AsyncFarmClient(farm.grpc, retries=0) as client:
        answers = await asyncio.gather(
            *(client.infer(MODEL, {"image": image}, timeout_s=30) for image in images)
        )
    return [{name: answer.receipt[name] for name in FIGURES} for answer in answers]


def counted_answers(admin: AdminClient) -> int:
    """Return what the ledger counts, whenever it believes that it was."""
    query = LedgerQuery(since_unix_ns=0, until_unix_ns=time.time_ns() + 10**9 * 2 * HOUR_S)
    return sum(figures.counts.answered for figures in admin.ledger(query).figures)


async def test_a_clock_that_is_set_harms_no_request_and_no_figure(
    farm: FarmProcess, clock: FakedClock, questions: Questions
) -> None:
    histories: list[History] = []
    singles = 0
    with AdminClient(farm.grpc) as admin:
        assert is_off_by(admin, -TEN_YEARS_S)
        for off in (0, HOUR_S, 0, -HOUR_S, 0):
            async with RecordedLoad(farm.grpc, questions, callers=8, timeout_s=20) as load:
                clock.set(off)
                await until(partial(is_off_by, admin, off), "it knows the time")
                await load.answered(100)
            histories.append(load.history)
            for receipt in await receipts(farm, questions):
                singles += 1
                assert min(receipt.values()) >= 0
                assert receipt["energy_low_j"] <= receipt["energy_j"] <= receipt["energy_high_j"]
        for history in histories:
            assert violations(history, questions.truth) == []
        await settled(farm.metrics)
        (events, missed) = next(iter(admin.events(timeout_s=30)))
        assert not missed
        numbers = [event.number for event in events]
        assert numbers == sorted(set(numbers))
        points = [point.unix_ns for point in admin.history()]
        assert points
        assert all(before < after for before, after in pairwise(points))
        # What was answered ten years ago, as the farm believed, is forgotten for its age.
        dated = singles + sum(len(history.replies) for history in histories[1:])
        undated = len(histories[0].replies)
        await until(lambda: counted_answers(admin) >= dated, "the ledger has counted every answer")
        assert counted_answers(admin) <= dated + undated
