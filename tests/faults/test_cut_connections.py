"""Connections that are reset in the middle of an answer, by seed."""

from random import Random

import pytest
from digit_questions import Questions
from farm_process import FarmProcess
from faulty_farm import settled, until
from figures import tell
from history import violations
from recorded_load import RecordedLoad
from relay import Relay

from farm.core.errors import ErrorCode

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.timeout(300)]

CUTS = 100
# Some answers, a part of the first, or not even the words with which a connection begins.
LONGEST_BYTES = 20_000


@pytest.mark.parametrize("seed", [1, 2])
async def test_calls_whose_connection_is_reset_are_answered_once_all_the_same(
    whole_farm: FarmProcess, questions: Questions, seed: int, request: pytest.FixtureRequest
) -> None:
    random = Random(seed)
    async with Relay(
        whole_farm.grpc, next_cut=lambda: int(LONGEST_BYTES * random.random() ** 3)
    ) as relay:
        async with RecordedLoad(
            relay.address, questions, callers=8, retries=60, timeout_s=100, seed=seed
        ) as cut:
            await until(lambda: relay.cuts >= CUTS, "connections were cut")
        async with RecordedLoad(relay.address, questions, callers=8, pause_s=0.01) as told:
            await told.answered(200)
    assert violations(cut.history, questions.truth) == []
    assert violations(told.history, questions.truth, allowed=[ErrorCode.UNREACHABLE]) == []
    await settled(whole_farm.metrics)
    tell(
        request.node.name,
        answered=sum(1 for _ in cut.history.answers()),
        failed=0,
        connections_cut=relay.cuts,
    )
