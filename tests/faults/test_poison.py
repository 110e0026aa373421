"""Requests and models that harm whoever runs them: they fail alone, all others are answered."""

import asyncio
from collections.abc import Iterator

import numpy as np
import psutil
import pytest
from digit_questions import MODEL, Questions, alone
from farm_process import FarmProcess
from faulty_farm import settled, until
from history import violations
from recorded_load import RecordedLoad
from served_models import copy_digits, write_hungry, write_slow

from farm.client import AdminClient, AsyncFarmClient
from farm.core.errors import ExecutionFailedError

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.timeout(300)]

# More steps than a life has seconds.
ENDLESS = 10**12


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarmProcess]:
    folder = tmp_path_factory.mktemp("poisoned")
    models = folder / "models"
    models.mkdir()
    copy_digits(models)
    write_slow(models, "slow")
    write_hungry(models, "hungry")
    with FarmProcess(folder, "--nodes", "3", "--models", str(models)) as process:
        yield process


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
async def test_numbers_that_are_none_stay_with_their_sender(
    farm: FarmProcess, questions: Questions, value: float
) -> None:
    poison = {"image": np.full((1, 1, 8, 8), value, dtype=np.float32)}
    (own_answer,) = alone(poison.values())
    shared = 0
    async with (
        RecordedLoad(farm.grpc, questions, callers=16) as polite,
        AsyncFarmClient(farm.grpc, retries=0) as client,
    ):
        for _ in range(200):
            result = await client.infer(MODEL, poison, timeout_s=30)
            np.testing.assert_array_equal(result["probabilities"], own_answer)
            # It comes alone: the others of its batch are polite.
            shared += (result.receipt.batch_size or 0) > 1
    assert shared > 0
    assert violations(polite.history, questions.truth) == []
    await settled(farm.metrics)


async def test_a_request_that_wants_more_memory_than_there_is_fails_alone(
    farm: FarmProcess, questions: Questions
) -> None:
    elements = 2 * psutil.virtual_memory().total // 4
    wanted = {"N": np.array([[elements]], dtype=np.int64)}
    with AdminClient(farm.grpc) as admin:
        before = {node.node_id: node.incarnation for node in admin.snapshot().nodes}
        async with (
            RecordedLoad(farm.grpc, questions, callers=8) as polite,
            AsyncFarmClient(farm.grpc, retries=0) as client,
        ):
            for _ in range(10):
                with pytest.raises(ExecutionFailedError, match=r"alloc|memory"):
                    await client.infer("hungry", wanted, timeout_s=100)
            # What is less is answered by the same model.
            modest = {"N": np.array([[1000]], dtype=np.int64)}
            answer = await client.infer("hungry", modest, timeout_s=100)
            assert answer["TOTAL"].tolist() == [[1000.0]]
            await polite.answered(400)
        assert {node.node_id: node.incarnation for node in admin.snapshot().nodes} == before
    assert violations(polite.history, questions.truth) == []
    await settled(farm.metrics)


async def test_a_request_that_never_ends_is_ended(farm: FarmProcess, questions: Questions) -> None:
    endless = {"STEPS": np.array([[ENDLESS]], dtype=np.int64)}
    with AdminClient(farm.grpc) as admin:
        async with (
            RecordedLoad(farm.grpc, questions, callers=8) as polite,
            AsyncFarmClient(farm.grpc, retries=0) as client,
        ):
            with pytest.raises(ExecutionFailedError, match="did not finish this request within"):
                await asyncio.wait_for(client.infer("slow", endless, timeout_s=None), 200)
            await until(
                lambda: all(node.state == "ready" for node in admin.snapshot().nodes),
                "every node is ready",
            )
    assert violations(polite.history, questions.truth) == []
    await settled(farm.metrics)
