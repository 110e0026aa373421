"""Which failures are tried again, and when."""

import time
from collections.abc import Callable
from typing import Any

import grpc
import numpy as np
import pytest
from plain_server import plain_server

from farm.client import AsyncFarmClient, FarmClient
from farm.client.retries import retry_delay_s
from farm.core.errors import (
    ConfigurationError,
    ErrorCode,
    FarmError,
    QueueFullError,
    UnreachableError,
    error_class,
)
from farm.pb.open_inference_pb2 import ModelInferResponse

X = {"x": np.zeros(1, np.float32)}


def delay(error: FarmError, **changed: Any) -> float | None:
    arguments: dict[str, Any] = {"attempt": 0, "retries": 2, "time_left_s": None, "spread": 0.0}
    return retry_delay_s(error, **(arguments | changed))


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_a_pushback_is_waited_for_exactly(spread: float) -> None:
    error = QueueFullError("full", retry_after_s=0.75)
    assert delay(error, spread=spread) == 0.75
    assert delay(error, attempt=1, spread=spread) == 0.75


@pytest.mark.parametrize("code", [code for code in ErrorCode if code is not ErrorCode.UNREACHABLE])
def test_without_a_pushback_every_answer_stands(code: ErrorCode) -> None:
    assert delay(error_class(code)("no")) is None


def test_silence_is_tried_again_after_pauses_that_double() -> None:
    error = UnreachableError("nobody")
    assert [delay(error, attempt=n, retries=9) for n in range(8)] == [
        0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0,
    ]  # fmt: skip
    assert delay(error, spread=1.0) == 0.05


def test_there_is_an_end_to_it() -> None:
    error = QueueFullError("full", retry_after_s=0.1)
    assert delay(error, attempt=1) is not None
    assert delay(error, attempt=2) is None
    assert delay(error, retries=0) is None


def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    error = QueueFullError("full", retry_after_s=0.5)
    assert delay(error, time_left_s=0.6) == 0.5
    assert delay(error, time_left_s=0.5) is None


def test_a_negative_number_of_retries_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="retries must be 0 or more"):
        FarmClient("here:1", retries=-1)


class Flaky:
    """Refuses the first calls, with a pushback unless that is None, then answers."""

    def __init__(self, failures: int, *, pushback_ms: int | None = 50, code: str = "") -> None:
        self.times: list[float] = []
        self._failures = failures
        self._trailers = [("farm-error-code", code)] if code else []
        if pushback_ms is not None:
            self._trailers.append(("grpc-retry-pushback-ms", str(pushback_ms)))

    def __call__(self, _: Any, context: grpc.ServicerContext) -> ModelInferResponse:
        self.times.append(time.monotonic())
        if len(self.times) <= self._failures:
            context.set_trailing_metadata(tuple(self._trailers))
            context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
        return ModelInferResponse(model_name="m", model_version="1")


async def infer_sync(address: str, retries: int, timeout_s: float) -> object:
    with FarmClient(address, retries=retries) as client:
        return client.infer("m", X, timeout_s=timeout_s)


async def infer_async(address: str, retries: int, timeout_s: float) -> object:
    async with AsyncFarmClient(address, retries=retries) as client:
        return await client.infer("m", X, timeout_s=timeout_s)


both = pytest.mark.parametrize("infer", [infer_sync, infer_async])


@both
async def test_a_client_comes_back_when_it_is_told_to(infer: Callable[..., Any]) -> None:
    flaky = Flaky(2, code="queue_full")
    with plain_server({"ModelInfer": flaky}) as address:
        await infer(address, 2, 10.0)
    first, second, third = flaky.times
    assert second - first >= 0.05
    assert third - second >= 0.05


@both
async def test_a_call_that_was_dropped_without_a_word_is_tried_again(
    infer: Callable[..., Any],
) -> None:
    calls = []

    def drop_the_first(_: Any, context: grpc.ServicerContext) -> ModelInferResponse:
        calls.append(context)
        if len(calls) == 1:
            context.cancel()
        return ModelInferResponse(model_name="m", model_version="1")

    with plain_server({"ModelInfer": drop_the_first}) as address:
        await infer(address, 1, 10.0)
    assert len(calls) == 2


@both
async def test_the_last_refusal_is_raised(infer: Callable[..., Any]) -> None:
    flaky = Flaky(9, code="queue_full")
    with plain_server({"ModelInfer": flaky}) as address:
        with pytest.raises(QueueFullError, match="not now"):
            await infer(address, 1, 10.0)
        assert len(flaky.times) == 2
        with pytest.raises(QueueFullError):
            await infer(address, 0, 10.0)
    assert len(flaky.times) == 3


@both
async def test_a_refused_model_is_asked_for_once(infer: Callable[..., Any]) -> None:
    flaky = Flaky(9, pushback_ms=None, code="model_unavailable")
    with plain_server({"ModelInfer": flaky}) as address, pytest.raises(FarmError) as caught:
        await infer(address, 2, 10.0)
    assert caught.value.code is ErrorCode.MODEL_UNAVAILABLE
    assert len(flaky.times) == 1


@both
async def test_a_pushback_beyond_the_deadline_is_raised_at_once(
    infer: Callable[..., Any],
) -> None:
    flaky = Flaky(9, pushback_ms=60_000, code="queue_full")
    with (
        plain_server({"ModelInfer": flaky}) as address,
        pytest.raises(QueueFullError) as caught,
    ):
        await infer(address, 2, 5.0)
    assert caught.value.retry_after_s == 60.0
    assert len(flaky.times) == 1


@both
async def test_a_server_that_is_not_there_yet_is_tried_again(infer: Callable[..., Any]) -> None:
    flaky = Flaky(1, pushback_ms=None)
    with plain_server({"ModelInfer": flaky}) as address:
        await infer(address, 2, 10.0)
    assert len(flaky.times) == 2
