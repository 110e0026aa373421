"""Hundreds of clients that try again, of a farm that has lost every node."""

import os
import signal
import time

import narrow_model
import pytest
from digit_questions import Questions
from farm_process import FarmProcess
from faulty_farm import settled, until
from figures import tell
from history import violations
from metrics_page import counted
from recorded_load import RecordedLoad

from farm.client import AdminClient
from farm.scheduling.limits import SchedulingLimits

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.timeout(300)]

# Where few may wait nearly all are refused, before the nodes are lost and all the more after.
CALLERS = 300
RETRIES = 1_000
# Nobody is told to come back sooner.
PUSHBACK_S = SchedulingLimits().pushback_s


async def test_a_storm_of_retries_is_answered_and_waits_as_told(
    whole_farm: FarmProcess, questions: Questions, request: pytest.FixtureRequest
) -> None:
    def errors() -> float:
        return counted(whole_farm.metrics, "farm_errors_total")

    def pids(admin: AdminClient) -> set[int]:
        return {node.pid for node in admin.snapshot().nodes if node.state == "ready"}

    with AdminClient(whole_farm.grpc) as admin:
        before, errors_before = pids(admin), errors()
        began_s = time.monotonic()

        def are_replaced() -> bool:
            now = pids(admin)
            return len(now) == len(before) and now.isdisjoint(before)

        async with RecordedLoad(
            whole_farm.grpc,
            questions,
            model=narrow_model.MODEL,
            callers=CALLERS,
            retries=RETRIES,
            timeout_s=200,
        ) as storm:
            lost_s = time.monotonic()
            for pid in before:
                os.kill(pid, signal.SIGKILL)
            await until(are_replaced, "new actors have taken their place")
            await storm.answered(CALLERS)
    ended_s = time.monotonic()
    told = errors() - errors_before
    assert violations(storm.history, questions.truth) == []
    assert 0 < told <= CALLERS * ((ended_s - began_s) / PUSHBACK_S + 1)
    await settled(whole_farm.metrics)
    async with RecordedLoad(whole_farm.grpc, questions, callers=4) as polite:
        await polite.answered(200)
    assert violations(polite.history, questions.truth) == []
    tell(
        request.node.name,
        answered=len(storm.history.replies),
        failed=0,
        refused=told,
        recovered_s=ended_s - lost_s,
    )
