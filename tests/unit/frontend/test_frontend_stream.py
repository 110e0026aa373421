"""One stream, many requests: each gets its own answer or error, and the stream lives on."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import grpc
import pytest
import pytest_asyncio
from fake_dataplane import METHODS, RunningFrontend, echo, running_frontend

from farm.core.errors import ErrorCode, FarmError, QueueFullError
from farm.engine.dataplane import InferenceCall, InferenceResult
from farm.frontend.inference_stream import MAX_IN_FLIGHT, MAX_UNREAD_BYTES, InferenceStream
from farm.frontend.limits import LIMITS
from farm.frontend.unread import UnreadAnswers
from farm.pb.open_inference_pb2 import (
    ModelInferRequest,
    ModelInferResponse,
    ModelStreamInferResponse,
)

WAIT_S = 10.0


@pytest_asyncio.fixture
async def farm() -> AsyncIterator[RunningFrontend]:
    async with running_frontend() as running:
        yield running


def request(number: int, raw: bytes = b"ab") -> ModelInferRequest:
    message = ModelInferRequest(model_name="echo", id=str(number))
    message.inputs.add(name="x", datatype="UINT8", shape=[1, len(raw)])
    message.raw_input_contents.append(raw)
    return message


class Stream:
    """A client's side of `ModelStreamInfer`, in bytes so that it can send any."""

    def __init__(self, farm: RunningFrontend) -> None:
        self._call: Any = farm.channel.stream_stream(METHODS["ModelStreamInfer"].path)()

    async def send(self, *messages: ModelInferRequest | bytes) -> None:
        for message in messages:
            raw = message if isinstance(message, bytes) else message.SerializeToString()
            await self._call.write(raw)

    async def end(self) -> None:
        await self._call.done_writing()

    async def read(self) -> ModelStreamInferResponse | None:
        raw = await asyncio.wait_for(self._call.read(), WAIT_S)
        return None if raw is grpc.aio.EOF else ModelStreamInferResponse.FromString(raw)

    async def rest(self) -> list[ModelStreamInferResponse]:
        answers = []
        while (answer := await self.read()) is not None:
            answers.append(answer)
        return answers

    def cancel(self) -> None:
        self._call.cancel()


ANSWER_BYTES = 1 << 10


class UnreadStream:
    """A stream whose client has fetched one answer, so that their size is known, and no more."""

    def __init__(self, unread: UnreadAnswers, *, client: str) -> None:
        self._asked = 0
        stream = InferenceStream(self._answer, judge=failed, client=client, unread=unread)
        self._answers = stream.responses(self._requests())

    async def taken(self) -> int:
        """Return how many requests it takes before it reads no further."""
        await anext(self._answers)
        before = -1
        while before != self._asked:
            before = self._asked
            for _ in range(20):
                await asyncio.sleep(0)
        # The one that is fetched is written only when the next one is asked for, and the last
        # request that was read waits for room.
        return self._asked - 1

    async def leave(self) -> None:
        await self._answers.aclose()

    async def _requests(self) -> AsyncIterator[ModelInferRequest]:
        while True:
            self._asked += 1
            yield request(self._asked)
            await asyncio.sleep(0)

    async def _answer(self, asked: ModelInferRequest) -> ModelInferResponse:
        return ModelInferResponse(id=asked.id, raw_output_contents=[bytes(ANSWER_BYTES)])


def failed(error: Exception) -> FarmError:
    raise error


async def test_every_request_gets_its_answer_after_the_client_ended_its_half(
    farm: RunningFrontend,
) -> None:
    stream = Stream(farm)
    await stream.send(*(request(number, bytes([number, 0])) for number in range(100)))
    await stream.end()
    answers = await stream.rest()
    assert not any(answer.error_message for answer in answers)
    by_id = {a.infer_response.id: a.infer_response.raw_output_contents[0] for a in answers}
    assert by_id == {str(number): bytes([number, 0]) for number in range(100)}


async def test_answers_come_as_they_are_done(farm: RunningFrontend) -> None:
    gate = asyncio.Event()

    async def slow_zero(call: InferenceCall) -> InferenceResult:
        if call.inputs[0].raw == b"\0\0":
            await gate.wait()
        return await echo(call)

    farm.dataplane.behaviour = slow_zero
    stream = Stream(farm)
    await stream.send(request(0, b"\0\0"), request(1, b"\1\1"))
    first = await stream.read()
    assert first is not None and first.infer_response.id == "1"
    gate.set()
    second = await stream.read()
    assert second is not None and second.infer_response.id == "0"
    await stream.end()
    assert await stream.rest() == []


async def test_an_error_is_its_requests_own(farm: RunningFrontend) -> None:
    async def picky(call: InferenceCall) -> InferenceResult:
        if call.inputs[0].raw == b"no":
            raise QueueFullError("the queue is full; come back", retry_after_s=0.25)
        return await echo(call)

    farm.dataplane.behaviour = picky
    stream = Stream(farm)
    await stream.send(request(1), request(2, b"no"), b"\xff\xff\xff", request(3))
    await stream.end()
    answers = await stream.rest()
    errors = {a.infer_response.id: a for a in answers if a.error_message}
    assert {a.infer_response.id for a in answers if not a.error_message} == {"1", "3"}
    assert set(errors) == {"2", ""}
    assert errors["2"].error_message == "the queue is full; come back"
    parameters = errors["2"].infer_response.parameters
    assert parameters["farm_error_code"].string_param == ErrorCode.QUEUE_FULL
    assert parameters["farm_retry_after_ms"].int64_param == 250
    assert "not a valid request" in errors[""].error_message
    assert sorted(farm.errors) == [ErrorCode.INVALID_REQUEST, ErrorCode.QUEUE_FULL]


async def test_nobody_sees_the_text_of_an_unexpected_exception(farm: RunningFrontend) -> None:
    farm.dataplane.fails_with(ValueError("the secret"))
    stream = Stream(farm)
    await stream.send(request(1))
    await stream.end()
    (answer,) = await stream.rest()
    assert "secret" not in answer.error_message
    assert farm.errors == [ErrorCode.INTERNAL]


async def test_the_final_flag_is_set_for_those_who_ask(farm: RunningFrontend) -> None:
    asking = request(1)
    asking.parameters["triton_enable_empty_final_response"].bool_param = True
    stream = Stream(farm)
    await stream.send(asking, request(2))
    await stream.end()
    final = {
        a.infer_response.id: "triton_final_response" in a.infer_response.parameters
        for a in await stream.rest()
    }
    assert final == {"1": True, "2": False}


async def settled(farm: RunningFrontend) -> int:
    """Wait until the server takes no more requests; return how many it has taken."""
    seen, still = -1, 0
    async with asyncio.timeout(WAIT_S):
        while still < 20:
            await asyncio.sleep(0.02)
            still = still + 1 if len(farm.dataplane.calls) == seen else 0
            seen = len(farm.dataplane.calls)
    return seen


async def test_a_stream_reads_no_more_than_it_may_hold(farm: RunningFrontend) -> None:
    first, gate = asyncio.Event(), asyncio.Event()

    async def wait(call: InferenceCall) -> InferenceResult:
        await (first if call is farm.dataplane.calls[0] else gate).wait()
        return await echo(call)

    farm.dataplane.behaviour = wait
    count = MAX_IN_FLIGHT + 200
    stream = Stream(farm)
    sending = asyncio.create_task(stream.send(*(request(number) for number in range(count))))
    # Nobody knows yet how large an answer is.
    assert await settled(farm) < 50
    first.set()
    assert await settled(farm) == MAX_IN_FLIGHT + 1
    gate.set()
    await asyncio.wait_for(sending, WAIT_S)
    await stream.end()
    assert len(await stream.rest()) == count


async def test_a_stream_that_is_to_finish_delivers_what_it_owes(farm: RunningFrontend) -> None:
    gate = asyncio.Event()

    async def wait(call: InferenceCall) -> InferenceResult:
        await gate.wait()
        return await echo(call)

    farm.dataplane.behaviour = wait
    stream = Stream(farm)
    await stream.send(*(request(number) for number in range(10)))
    assert await settled(farm) == 10
    ending = asyncio.create_task(farm.frontend.end_streams(at_most_s=WAIT_S))
    await asyncio.sleep(0)
    gate.set()
    await asyncio.wait_for(ending, WAIT_S)
    assert len(await stream.rest()) == 10


async def test_a_client_that_does_not_fetch_large_answers_is_held_back(
    farm: RunningFrontend,
) -> None:
    async def large(call: InferenceCall) -> InferenceResult:
        answered = await echo(call)
        (y,) = answered.outputs
        return replace(answered, outputs=(replace(y, raw=bytes(MAX_UNREAD_BYTES // 4)),))

    farm.dataplane.behaviour = large
    stream = Stream(farm)
    sending = asyncio.create_task(stream.send(*(request(number) for number in range(100))))
    await asyncio.wait_for(sending, WAIT_S)
    assert await settled(farm) < 20
    await stream.end()
    assert len(await stream.rest()) == 100


async def test_streams_share_the_room_for_answers_that_are_not_fetched() -> None:
    """A stream that nobody reads leaves less to the next one; what it had comes back."""
    unread = UnreadAnswers(8 * ANSWER_BYTES)

    def opened() -> UnreadStream:
        return UnreadStream(unread, client="slow")

    first, second = opened(), opened()
    assert await first.taken() == 4
    assert await second.taken() == 1, "one answer may always be due"
    assert unread.total_bytes == 5 * ANSWER_BYTES
    for stream in (first, second):
        await stream.leave()
    assert unread.total_bytes == 0
    third = opened()
    assert await third.taken() == 4
    await third.leave()


async def test_a_client_that_leaves_cancels_what_it_asked_for(farm: RunningFrontend) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def forever(_: InferenceCall) -> InferenceResult:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    farm.dataplane.behaviour = forever
    stream = Stream(farm)
    await stream.send(request(1))
    await asyncio.wait_for(begun.wait(), WAIT_S)
    stream.cancel()
    await asyncio.wait_for(ended.wait(), WAIT_S)


@pytest.mark.parametrize("messages", [[], [b""]])
async def test_an_empty_stream_ends(farm: RunningFrontend, messages: list[bytes]) -> None:
    stream = Stream(farm)
    await stream.send(*messages)
    await stream.end()
    assert len(await stream.rest()) == len(messages)


async def test_a_client_may_have_so_many_streams_open_and_no_more(farm: RunningFrontend) -> None:
    streams = [Stream(farm) for _ in range(LIMITS.max_streams_of_client)]
    for stream in streams:
        await stream.send(request(1))
        assert await stream.read() is not None
    with pytest.raises(grpc.aio.AioRpcError, match="this client has 256 streams open") as refused:
        await Stream(farm).read()
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert dict(refused.value.trailing_metadata() or ())["grpc-retry-pushback-ms"] == "1000"
    for stream in streams:
        await stream.end()
        assert await stream.rest() == []
    after = Stream(farm)
    await after.send(request(2))
    assert await after.read() is not None
    await after.end()
    assert await after.rest() == []
