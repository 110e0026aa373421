"""Every way in which a stream of requests may end."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest
from plain_server import plain_server
from stream_calls import (
    WAIT_S,
    Answers,
    Stream,
    answer,
    both,
    inputs,
    sync_stream,
)

from farm.client import AsyncFarmClient, FarmClient, aio_streams, streams
from farm.client.in_flight import InFlight
from farm.core.errors import (
    ErrorCode,
    FarmError,
    InvalidRequestError,
    UnreachableError,
    UnsupportedError,
)
from farm.pb.open_inference_pb2 import ModelInferRequest


@both
def test_a_stream_that_breaks_raises(stream: Stream) -> None:
    def serve(requests: Iterator[ModelInferRequest], context: grpc.ServicerContext) -> Answers:
        yield answer(next(iter(list(requests))))
        context.set_trailing_metadata((("farm-error-code", "draining"),))
        context.abort(grpc.StatusCode.UNAVAILABLE, "going down")

    with (
        plain_server({"ModelStreamInfer": serve}) as address,
        pytest.raises(FarmError, match="going down") as caught,
    ):
        stream(address, map(inputs, range(5)))
    assert caught.value.code is ErrorCode.DRAINING


@both
def test_a_stream_that_breaks_under_a_write_raises(stream: Stream) -> None:
    def serve(requests: Iterator[ModelInferRequest], context: grpc.ServicerContext) -> Answers:
        yield answer(next(requests))
        context.abort(grpc.StatusCode.UNAVAILABLE, "going down")

    with (
        plain_server({"ModelStreamInfer": serve}) as address,
        pytest.raises(UnreachableError, match=f"{address}"),
    ):
        stream(address, map(inputs, range(1000)))


@both
def test_a_server_that_ends_early_is_noticed(stream: Stream) -> None:
    def serve(requests: Iterator[ModelInferRequest], _: Any) -> Answers:
        yield answer(next(iter(list(requests))))

    with (
        plain_server({"ModelStreamInfer": serve}) as address,
        pytest.raises(UnreachableError, match="ended the stream early; 4 requests have no answer"),
    ):
        stream(address, map(inputs, range(5)))


@both
def test_an_answer_to_nothing_is_an_error(stream: Stream) -> None:
    def serve(requests: Iterator[ModelInferRequest], _: Any) -> Answers:
        request = next(requests)
        yield answer(request)
        yield answer(request)

    with (
        plain_server({"ModelStreamInfer": serve}) as address,
        pytest.raises(UnsupportedError, match="id '0', which no waiting request has"),
    ):
        stream(address, map(inputs, range(1)))


@both
def test_what_the_source_raises_is_raised_here(stream: Stream) -> None:
    def serve(requests: Iterator[ModelInferRequest], _: Any) -> Answers:
        yield from map(answer, requests)

    def source() -> Iterator[Any]:
        yield inputs(0)
        raise ZeroDivisionError("the camera fell down")

    with (
        plain_server({"ModelStreamInfer": serve}) as address,
        pytest.raises(ZeroDivisionError, match="camera"),
    ):
        stream(address, source())


@both
def test_inputs_that_cannot_be_sent_are_named(stream: Stream) -> None:
    def serve(requests: Iterator[ModelInferRequest], _: Any) -> Answers:
        yield from map(answer, requests)

    with (
        plain_server({"ModelStreamInfer": serve}) as address,
        pytest.raises(InvalidRequestError, match="input 'x'"),
    ):
        stream(address, [{"x": np.zeros(1, np.complex64)}])


@both
def test_a_deadline_ends_a_stream(stream: Stream) -> None:
    def serve(requests: Iterator[ModelInferRequest], context: grpc.ServicerContext) -> Answers:
        gone = threading.Event()
        context.add_callback(gone.set)
        yield answer(next(requests))
        assert gone.wait(WAIT_S)

    def call(address: str) -> None:
        with FarmClient(address) as client:
            list(client.stream("m", map(inputs, range(9)), timeout_s=0.3))

    with (
        plain_server({"ModelStreamInfer": serve}) as address,
        pytest.raises(FarmError) as caught,
    ):
        call(address)
    assert caught.value.code is ErrorCode.DEADLINE_EXCEEDED


def test_an_unreachable_farm_is_named() -> None:
    with pytest.raises(UnreachableError, match=r"no answer from 127\.0\.0\.1:9"):
        sync_stream("127.0.0.1:9", [inputs(0)])


class Endless:
    """A server that answers for ever and notes when its client is gone."""

    def __init__(self) -> None:
        self.gone = threading.Event()

    def __call__(
        self, requests: Iterator[ModelInferRequest], context: grpc.ServicerContext
    ) -> Answers:
        context.add_callback(self.gone.set)
        yield from map(answer, requests)


def endless_inputs() -> Iterator[Any]:
    value = 0
    while True:
        yield inputs(value)
        value += 1


def test_closing_the_iterator_cancels_the_call() -> None:
    server = Endless()
    with plain_server({"ModelStreamInfer": server}) as address, FarmClient(address) as client:
        stream = client.stream("m", endless_inputs(), window=4)
        assert next(stream).index == 0
        stream.close()
        assert server.gone.wait(WAIT_S)
        # The client serves on.
        assert next(client.stream("m", endless_inputs())).index == 0


async def test_closing_the_async_iterator_cancels_the_call() -> None:
    server = Endless()
    with plain_server({"ModelStreamInfer": server}) as address:
        async with AsyncFarmClient(address) as client:
            stream = client.stream("m", endless_inputs(), window=4)
            assert (await anext(stream)).index == 0
            await stream.aclose()
            assert await asyncio.to_thread(server.gone.wait, WAIT_S)
    assert [task for task in asyncio.all_tasks() if task.get_name() == "stream requests"] == []


async def test_cancelling_the_reader_cancels_the_call() -> None:
    server = Endless()
    with plain_server({"ModelStreamInfer": server}) as address:
        async with AsyncFarmClient(address) as client:
            started = asyncio.Event()

            async def read() -> None:
                async for _ in client.stream("m", endless_inputs(), window=4):
                    started.set()

            reader = asyncio.create_task(read())
            async with asyncio.timeout(WAIT_S):
                await started.wait()
                reader.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await reader
            assert await asyncio.to_thread(server.gone.wait, WAIT_S)


# -- a source that fails while the server ends the stream well -------------------------


def fallen_camera() -> Iterator[Any]:
    yield inputs(0)
    raise ZeroDivisionError("the camera fell down")


class WellEnded:
    """A blocking call that the server ends once the source has failed, before it is cancelled."""

    address = "it"

    def open(self, _name: str, messages: Iterator[Any], _timeout_s: float | None) -> Any:
        self._messages = messages
        return self

    def __iter__(self) -> Iterator[Any]:
        list(self._messages)
        return iter(())

    def cancel(self) -> None: ...


class AsyncWellEnded:
    """The same for an event loop."""

    address = "it"

    def __init__(self) -> None:
        self._failed = asyncio.Event()

    def open(self, *_: Any) -> Any:
        return self

    async def write(self, _message: ModelInferRequest) -> None: ...

    async def read(self) -> Any:
        await self._failed.wait()
        return grpc.aio.EOF

    def cancel(self) -> None:
        self._failed.set()


def test_a_source_that_fails_is_heard_beside_the_end() -> None:
    answers = streams.stream_answers(
        WellEnded(), fallen_camera(), InFlight("m", {}), window=4, timeout_s=None
    )
    with pytest.raises(ZeroDivisionError, match="camera"):
        next(answers)


async def test_an_async_source_that_fails_is_heard_beside_the_end() -> None:
    answers = aio_streams.stream_answers(
        AsyncWellEnded(), fallen_camera(), InFlight("m", {}), window=4, timeout_s=None
    )
    with pytest.raises(ZeroDivisionError, match="camera"):
        await anext(answers)
