"""Many requests over one call: order, errors, windows."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from plain_server import plain_server
from stream_calls import (
    WAIT_S,
    Answers,
    Stream,
    answer,
    both,
    error,
    inputs,
    number,
)

from farm.client import AsyncFarmClient, FarmClient
from farm.core.errors import (
    FarmError,
    InvalidRequestError,
    QueueFullError,
    UnsupportedError,
)
from farm.pb.open_inference_pb2 import ModelInferRequest, ModelStreamInferResponse


@both
def test_every_request_is_answered(stream: Stream) -> None:
    def serve(requests: Iterator[ModelInferRequest], _: Any) -> Answers:
        yield from map(answer, requests)

    with plain_server({"ModelStreamInfer": serve}) as address:
        found = stream(address, map(inputs, range(200)), window=8)
    assert [each.index for each in found] == list(range(200))
    assert [int(each.unwrap()["x"][0]) for each in found] == list(range(200))


@both
def test_no_request_is_no_answer(stream: Stream) -> None:
    def serve(requests: Iterator[ModelInferRequest], _: Any) -> Answers:
        yield from map(answer, requests)

    with plain_server({"ModelStreamInfer": serve}) as address:
        assert stream(address, []) == []


@both
def test_answers_are_matched_by_id(stream: Stream) -> None:
    def serve(requests: Iterator[ModelInferRequest], _: Any) -> Answers:
        yield from map(answer, reversed(list(requests)))

    with plain_server({"ModelStreamInfer": serve}) as address:
        found = stream(address, map(inputs, range(5)))
    assert [each.index for each in found] == [4, 3, 2, 1, 0]
    assert [int(each.unwrap()["x"][0]) for each in found] == [4, 3, 2, 1, 0]


@both
def test_one_requests_error_leaves_the_others_alone(stream: Stream) -> None:
    def serve(requests: Iterator[ModelInferRequest], _: Any) -> Answers:
        for request in requests:
            value = number(request)
            if value == 1:
                yield error(request, "bad shape")
            elif value == 2:
                response = error(request, "full")
                response.infer_response.parameters["farm_error_code"].string_param = "queue_full"
                pushback = response.infer_response.parameters["farm_retry_after_ms"]
                pushback.int64_param = 250
                yield response
            else:
                yield answer(request)

    with plain_server({"ModelStreamInfer": serve}) as address:
        found = stream(address, map(inputs, range(4)))
    assert [each.error is None for each in found] == [True, False, False, True]
    with pytest.raises(FarmError, match="bad shape"):
        found[1].unwrap()
    assert type(found[1].error) is FarmError
    assert isinstance(found[2].error, QueueFullError)
    assert found[2].error.retry_after_s == 0.25


@both
def test_an_error_without_an_id_is_the_only_requests(stream: Stream) -> None:
    def serve(requests: Iterator[ModelInferRequest], _: Any) -> Answers:
        for _request in requests:
            yield ModelStreamInferResponse(error_message="no")

    with plain_server({"ModelStreamInfer": serve}) as address:
        found = stream(address, map(inputs, range(3)), window=1)
    assert [(each.index, str(each.error)) for each in found] == [(0, "no"), (1, "no"), (2, "no")]


@both
def test_an_answer_that_cannot_be_read_is_that_requests_error(stream: Stream) -> None:
    def serve(requests: Iterator[ModelInferRequest], _: Any) -> Answers:
        for request in requests:
            response = answer(request)
            if number(request) == 0:
                response.infer_response.raw_output_contents[0] = b"short"
            yield response

    with plain_server({"ModelStreamInfer": serve}) as address:
        found = stream(address, map(inputs, range(2)))
    assert isinstance(found[0].error, UnsupportedError)
    assert found[1].error is None


@both
def test_at_most_a_window_is_in_flight(stream: Stream) -> None:
    most = []

    def serve(requests: Iterator[ModelInferRequest], _: Any) -> Answers:
        # A window's requests arrive before the first answer, and no more than those: the
        # next one would have to be sent before it.
        for _round in range(5):
            held = [next(requests) for _ in range(3)]
            most.append(len(held))
            yield from map(answer, held)

    sent = []

    def source() -> Iterator[Any]:
        for value in range(15):
            sent.append(value)
            yield inputs(value)

    with plain_server({"ModelStreamInfer": serve}) as address:
        found = stream(address, source(), window=3)
    assert len(found) == 15
    assert most == [3] * 5


def test_a_window_holds_back_the_source() -> None:
    answering = threading.Event()
    sent = []

    def serve(requests: Iterator[ModelInferRequest], _: Any) -> Answers:
        held = [next(requests), next(requests)]
        assert answering.wait(WAIT_S)
        yield from map(answer, held)
        yield from map(answer, requests)

    def source() -> Iterator[Any]:
        for value in range(4):
            sent.append(value)
            if value == 2:
                # Nothing may ask for a third one before an answer was read.
                assert answering.is_set()
            yield inputs(value)

    with plain_server({"ModelStreamInfer": serve}) as address, FarmClient(address) as client:
        stream = client.stream("m", source(), window=2, timeout_s=WAIT_S)
        threading.Timer(0.2, answering.set).start()
        assert [each.index for each in stream] == [0, 1, 2, 3]
    assert sent == [0, 1, 2, 3]


@both
def test_a_window_below_one_is_refused(stream: Stream) -> None:
    with pytest.raises(InvalidRequestError, match="window must be at least 1"):
        stream("127.0.0.1:9", [], window=0)


@both
def test_options_go_with_every_request(stream: Stream) -> None:
    seen = []

    def serve(requests: Iterator[ModelInferRequest], _: Any) -> Answers:
        for request in requests:
            seen.append((request.model_version, request.parameters["priority"].int64_param))
            yield answer(request)

    with plain_server({"ModelStreamInfer": serve}) as address:
        stream(address, map(inputs, range(2)), version="3", priority=1)
    assert seen == [("3", 1), ("3", 1)]


async def test_an_asynchronous_source_is_read_as_it_comes() -> None:
    def serve(requests: Iterator[ModelInferRequest], _: Any) -> Answers:
        yield from map(answer, requests)

    answered = asyncio.Event()

    async def source() -> AsyncIterator[Any]:
        yield inputs(0)
        # The second one exists only once the first one is answered.
        await answered.wait()
        yield inputs(1)

    found = []
    with plain_server({"ModelStreamInfer": serve}) as address:
        async with AsyncFarmClient(address) as client, asyncio.timeout(WAIT_S):
            async for each in client.stream("m", source()):
                found.append(each.index)
                answered.set()
    assert found == [0, 1]


def test_a_slow_source_does_not_hold_answers_back() -> None:
    def serve(requests: Iterator[ModelInferRequest], _: Any) -> Answers:
        yield from map(answer, requests)

    answered = threading.Event()

    def source() -> Iterator[Any]:
        yield inputs(0)
        assert answered.wait(WAIT_S)
        yield inputs(1)

    found = []
    with plain_server({"ModelStreamInfer": serve}) as address, FarmClient(address) as client:
        for each in client.stream("m", source(), timeout_s=WAIT_S):
            found.append(each.index)
            answered.set()
    assert found == [0, 1]
