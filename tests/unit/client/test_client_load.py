"""The load generator counts what happens, and when it should have happened."""

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from plain_server import plain_server

from farm.client.codec import to_request
from farm.client.load.generator import LoadPlan, LoadResult, run_load
from farm.core.errors import ErrorCode
from farm.pb.open_inference_pb2 import (
    ModelInferRequest,
    ModelInferResponse,
    ModelStreamInferResponse,
)

REQUEST = to_request("m", {"x": np.zeros((2, 3), np.float32)}, version="4")


class Server:
    """Answers both ways with a receipt, or fails as told; notes what it saw."""

    def __init__(self, *, fail_every: int = 0, delay_s: float = 0.0) -> None:
        self.seen: list[ModelInferRequest] = []
        self.most_at_once = 0
        self._at_once = 0
        self._fail_every = fail_every
        self._delay_s = delay_s
        self._lock = threading.Lock()

    @property
    def behaviours(self) -> dict[str, Any]:
        return {"ModelInfer": self.unary, "ModelStreamInfer": self.stream}

    def unary(self, request: ModelInferRequest, context: grpc.ServicerContext) -> Any:
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        if self._delay_s:
            time.sleep(self._delay_s)
        with self._lock:
            self._at_once -= 1
            fails = self._note(request)
        if fails:
            context.set_trailing_metadata((("farm-error-code", "queue_full"),))
            context.abort(grpc.StatusCode.UNAVAILABLE, "full")
        return self._answer(request)

    def stream(self, requests: Iterator[ModelInferRequest], _: Any) -> Any:
        for request in requests:
            if self._note(request):
                response = ModelStreamInferResponse(error_message="full")
                response.infer_response.id = request.id
                yield response
            else:
                yield ModelStreamInferResponse(infer_response=self._answer(request))

    def _note(self, request: ModelInferRequest) -> bool:
        self.seen.append(request)
        return bool(self._fail_every) and len(self.seen) % self._fail_every == 0

    def _answer(self, request: ModelInferRequest) -> ModelInferResponse:
        response = ModelInferResponse(model_name="m", model_version="4", id=request.id)
        response.parameters["farm_node"].string_param = f"pi-{len(self.seen) % 2}"
        response.parameters["farm_queue_us"].int64_param = 30
        response.parameters["farm_compute_us"].int64_param = 20
        response.parameters["farm_batch_size"].int64_param = 2
        return response


def run(server: Server, **changed: Any) -> LoadResult:
    plan = LoadPlan(
        **({"request": REQUEST, "rows": 2, "duration_s": 0.3, "warmup_s": 0.05} | changed)
    )
    with plain_server(server.behaviours) as address:
        return asyncio.run(run_load(address, plan))


both = pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])


@both
def test_callers_send_again_when_they_have_their_answer(stream: bool) -> None:
    server = Server()
    result = run(server, concurrency=3, stream=stream)
    assert 0 < result.latency.count == result.completed_in_time < len(server.seen)
    assert result.requests_per_s == pytest.approx(result.completed_in_time / 0.3)
    assert result.rows_per_s == 2 * result.requests_per_s
    assert (result.failed, result.errors) == (0, {})
    assert result.batch_sizes.keys() == {2}
    assert result.nodes.keys() == {"pi-0", "pi-1"}
    assert result.nodes.total() == result.latency.count
    assert result.queue.mean_s == pytest.approx(30e-6)
    assert result.compute.mean_s == pytest.approx(20e-6)
    parts = 50e-6 + (result.rest.mean_s or 0) + (result.late.mean_s or 0)
    assert result.latency.mean_s == pytest.approx(parts, rel=0.01)
    assert result.cpu_fraction > 0


def test_requests_arrive_as_they_were_encoded() -> None:
    server = Server()
    run(server, stream=True, concurrency=4)
    assert [request.id for request in server.seen] == [str(n) for n in range(len(server.seen))]
    for request in server.seen[:3]:
        request.id = ""
        assert request == REQUEST


def test_no_more_callers_than_asked_for() -> None:
    server = Server(delay_s=0.01)
    run(server, concurrency=2)
    assert server.most_at_once == 2


@both
def test_errors_are_counted_by_code(stream: bool) -> None:
    result = run(Server(fail_every=3), concurrency=2, stream=stream)
    # A stream's errors have words only.
    code = ErrorCode.INTERNAL if stream else ErrorCode.QUEUE_FULL
    assert result.errors.keys() == {code}
    assert result.first_messages == {code: "full"}
    assert result.failed == result.errors[code] > 0
    assert result.latency.count > result.failed


@both
def test_a_server_that_is_not_there_is_an_error_and_no_crash(stream: bool) -> None:
    plan = LoadPlan(request=REQUEST, rows=1, duration_s=0.2, warmup_s=0.0, stream=stream)
    result = asyncio.run(run_load("127.0.0.1:9", plan))
    assert result.latency.count == 0
    assert result.errors.keys() == {ErrorCode.UNREACHABLE}
    assert result.requests_per_s == 0


@both
def test_a_rate_is_kept_whatever_the_answers_do(stream: bool) -> None:
    server = Server()
    result = run(server, rate_per_s=300.0, duration_s=0.5, warmup_s=0.1, stream=stream, seed=3)
    # A Poisson process of this seed: 300/s over half a second.
    assert 110 <= result.latency.count <= 190
    again = run(Server(), rate_per_s=300.0, duration_s=0.5, warmup_s=0.1, stream=stream, seed=3)
    assert abs(again.latency.count - result.latency.count) <= 3


def test_latency_counts_from_when_a_request_was_due() -> None:
    # Four threads of 20 ms each answer 200/s; 400/s are due, so the last wait for as long again.
    result = run(Server(delay_s=0.02), rate_per_s=400.0, duration_s=0.5, warmup_s=0.0)
    assert result.latency.count > 150
    assert result.completed_in_time < 0.75 * result.latency.count
    assert (result.latency.percentile_s(95) or 0) > 0.2


def test_a_server_without_receipts_has_no_parts() -> None:
    with plain_server({"ModelInfer": lambda *_: ModelInferResponse()}) as address:
        plan = LoadPlan(request=REQUEST, rows=1, duration_s=0.1, warmup_s=0.0)
        result = asyncio.run(run_load(address, plan))
    assert result.latency.count > 0
    assert (result.queue.count, result.nodes) == (0, {})


def test_a_stream_that_breaks_fails_what_follows() -> None:
    def serve(requests: Iterator[ModelInferRequest], context: grpc.ServicerContext) -> Any:
        for _ in range(5):
            answer = ModelStreamInferResponse()
            answer.infer_response.id = next(requests).id
            yield answer
        context.abort(grpc.StatusCode.UNAVAILABLE, "going down")

    plan = LoadPlan(
        request=REQUEST, rows=1, duration_s=0.2, warmup_s=0.0, stream=True, concurrency=2
    )
    with plain_server({"ModelStreamInfer": serve}) as address:
        result = asyncio.run(run_load(address, plan))
    # A write that meets the end first may take the last answers with it.
    assert 0 < result.latency.count <= 5
    assert result.errors.keys() == {ErrorCode.UNREACHABLE}


def test_a_stream_that_hangs_ends_with_its_timeout() -> None:
    def serve(_requests: Any, context: grpc.ServicerContext) -> Any:
        gone = threading.Event()
        context.add_callback(gone.set)
        gone.wait(10.0)
        yield from ()

    plan = LoadPlan(
        request=REQUEST, rows=1, duration_s=0.3, warmup_s=0.0, stream=True, timeout_s=0.1
    )
    with plain_server({"ModelStreamInfer": serve}) as address:
        result = asyncio.run(run_load(address, plan))
    assert result.latency.count == 0
    assert result.errors.keys() == {ErrorCode.DEADLINE_EXCEEDED}
