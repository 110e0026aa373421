"""ModelStatistics through tritonclient: what is counted is what was sent."""

import time
from collections.abc import Iterator

import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from farm_process import FarmProcess
from served_models import SAMPLES
from triton_requests import COUNT, ONES, numbered, pair, steps, texts
from tritonclient.utils import InferenceServerException

pytestmark = pytest.mark.integration

# Per request: each of these has one event for each request that succeeded.
STAGES = ("queue", "compute_input", "compute_infer", "compute_output")


@pytest.fixture(scope="module")
def client(samples: FarmProcess) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(samples.grpc) as opened:
        yield opened


def statistics_of(client: triton.InferenceServerClient, name: str):
    [found] = client.get_inference_statistics(name).model_stats
    assert (found.name, found.version) == (name, "1")
    return found


def test_requests_rows_and_executions_are_counted(client: triton.InferenceServerClient) -> None:
    before = statistics_of(client, "simple")
    for rows in (1, 1, 3, 8):
        client.infer("simple", numbered(5, rows=rows))
    after = statistics_of(client, "simple")
    assert after.inference_stats.success.count - before.inference_stats.success.count == 4
    assert after.inference_stats.fail.count == before.inference_stats.fail.count
    assert after.inference_count - before.inference_count == 13
    # One after the other, so nothing was there to join.
    assert after.execution_count - before.execution_count == 4
    for stage in STAGES:
        counted = getattr(after.inference_stats, stage).count
        assert counted - getattr(before.inference_stats, stage).count == 4
    assert abs(after.last_inference / 1e3 - time.time()) < 60


def test_stages_add_up_to_no_more_than_the_whole(client: triton.InferenceServerClient) -> None:
    before = statistics_of(client, "slow").inference_stats
    started = time.perf_counter_ns()
    client.infer("slow", steps(50_000))
    elapsed = time.perf_counter_ns() - started
    after = statistics_of(client, "slow").inference_stats
    whole = after.success.ns - before.success.ns
    parts = {s: getattr(after, s).ns - getattr(before, s).ns for s in STAGES}
    assert all(spent >= 0 for spent in parts.values()), parts
    assert sum(parts.values()) <= whole <= elapsed
    assert parts["compute_infer"] > whole / 2, "a long run is a long compute_infer"


async def test_batch_statistics_add_up(
    samples: FarmProcess, client: triton.InferenceServerClient
) -> None:
    import asyncio

    async with triton_aio.InferenceServerClient(samples.grpc) as many:
        await asyncio.gather(*(many.infer("simple", numbered(i)) for i in range(200)))
    found = statistics_of(client, "simple")
    sizes = {batch.batch_size: batch.compute_infer.count for batch in found.batch_stats}
    assert max(sizes) <= 8
    assert sum(sizes.values()) == found.execution_count
    assert sum(size * count for size, count in sizes.items()) == found.inference_count
    assert all(batch.compute_infer.ns > 0 for batch in found.batch_stats)
    assert found.execution_count < found.inference_count, "some were joined"


def test_a_failure_of_the_model_is_a_fail(client: triton.InferenceServerClient) -> None:
    before = statistics_of(client, "simple_string").inference_stats
    words = np.full((1, 16), b"seven", dtype=object)
    with pytest.raises(InferenceServerException):
        client.infer("simple_string", pair(texts(COUNT), words))
    client.infer("simple_string", pair(texts(COUNT), texts(ONES)))
    after = statistics_of(client, "simple_string").inference_stats
    assert after.fail.count - before.fail.count == 1
    assert after.success.count - before.success.count == 1


def test_there_is_no_cache_to_hit(client: triton.InferenceServerClient) -> None:
    client.infer("simple", numbered(1))
    found = statistics_of(client, "simple").inference_stats
    assert (found.cache_hit.count, found.cache_miss.count) == (0, 0)


def test_without_a_name_all_models_are_counted(client: triton.InferenceServerClient) -> None:
    found = {entry.name for entry in client.get_inference_statistics().model_stats}
    assert found >= {*SAMPLES, "digits", "slow"}
    asked = client.get_inference_statistics("simple", "1", as_json=True)["model_stats"]
    assert [entry["name"] for entry in asked] == ["simple"]
    with pytest.raises(InferenceServerException) as caught:
        client.get_inference_statistics("simple", "9")
    assert caught.value.status() == "StatusCode.NOT_FOUND"
