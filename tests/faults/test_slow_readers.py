"""Clients that ask and do not read: what they do not take has a bound, and others are answered."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import big_answers
import grpc
import pytest
from digit_questions import Questions
from farm_process import FarmProcess
from faulty_farm import settled, until
from figures import tell
from history import violations
from memory_peak import MemoryPeak
from metrics_page import counted
from recorded_load import RecordedLoad
from relay import Relay

from farm.client import AsyncFarmClient
from farm.client.channel import admin_methods, inference_methods, open_aio_channel
from farm.client.codec import to_request
from farm.core.errors import ErrorCode, FarmError
from farm.frontend.inference_stream import MAX_UNREAD_BYTES as MAX_STREAM_BYTES
from farm.frontend.unread import MAX_UNREAD_BYTES
from farm.pb.farm_admin_pb2 import WatchEventsRequest, WatchSnapshotsRequest
from farm.pb.open_inference_pb2 import ModelInferRequest

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.timeout(300)]

# More answers than the gateway keeps for one client that does not read.
ASKED = MAX_UNREAD_BYTES // big_answers.ANSWER_BYTES
# Together these could have more unread, were it not for the bound that they share.
STREAMS, WATCHERS = 20, 50
# Every byte of an answer is there about three times; the rest is what a busy gateway takes.
MOST_BYTES = 4 * MAX_UNREAD_BYTES
MIB = 1 << 20


@asynccontextmanager
async def stalled_channel(
    relay: Relay, *, trickling: bool = False
) -> AsyncIterator[grpc.aio.Channel]:
    """A connection that was made, and whose client then reads nothing more, or next to nothing."""
    async with open_aio_channel(relay.address, None) as channel:
        await asyncio.wait_for(channel.channel_ready(), 60)
        if trickling:
            relay.trickling = True
        else:
            relay.flowing.clear()
        yield channel


@asynccontextmanager
async def polite_load(
    farm: FarmProcess, questions: Questions, test: str
) -> AsyncIterator[RecordedLoad]:
    """Ask for digits while the block lasts; see that all are answered and all is given back."""
    with MemoryPeak(farm.process.pid) as peak:
        async with RecordedLoad(farm.grpc, questions, callers=4) as polite:
            yield polite
            await polite.answered(400)
        await settled(farm.metrics)
    assert violations(polite.history, questions.truth) == []
    assert peak.grown_bytes < MOST_BYTES
    tell(test, answered=len(polite.history.replies), grown_mib=peak.grown_bytes / MIB)


@pytest.mark.parametrize("trickling", [False, True], ids=["nothing", "one byte a second"])
async def test_streams_that_nobody_reads_have_a_bound(
    whole_farm: FarmProcess, questions: Questions, trickling: bool, request: pytest.FixtureRequest
) -> None:
    asked = to_request(big_answers.MODEL, big_answers.QUESTION)

    async def requests() -> AsyncIterator[ModelInferRequest]:
        while True:
            yield asked

    def run() -> float:
        return counted(whole_farm.metrics, "farm_requests_total", model=big_answers.MODEL)

    method = inference_methods()["ModelStreamInfer"]
    async with (
        polite_load(whole_farm, questions, request.node.name) as polite,
        Relay(whole_farm.grpc) as relay,
        stalled_channel(relay, trickling=trickling) as channel,
    ):
        before = run()
        streams = [
            channel.stream_stream(
                method.path,
                request_serializer=ModelInferRequest.SerializeToString,
                response_deserializer=None,
            )(requests())
            for _ in range(STREAMS)
        ]
        share = MAX_UNREAD_BYTES // 2 // big_answers.ANSWER_BYTES - STREAMS
        await until(lambda: run() - before >= share, "as many answers are due as there may be")
        await polite.answered(1000)
        # A stream takes some requests before it is known how large an answer is.
        each_alone = STREAMS * MAX_STREAM_BYTES // big_answers.ANSWER_BYTES
        assert run() - before < each_alone * 3 / 4
        for stream in streams:
            stream.cancel()


@pytest.mark.parametrize("leaves", [False, True], ids=["reads late", "leaves"])
async def test_answers_that_nobody_reads_have_a_bound(
    whole_farm: FarmProcess, questions: Questions, leaves: bool, request: pytest.FixtureRequest
) -> None:
    def unread_bytes() -> float:
        return counted(whole_farm.metrics, "farm_unread_answer_bytes")

    async def ask(client: AsyncFarmClient) -> str:
        try:
            result = await client.infer(big_answers.MODEL, big_answers.QUESTION, timeout_s=250)
        except FarmError as error:
            return error.code
        assert result["y"].nbytes == big_answers.ANSWER_BYTES
        return "ok"

    async with polite_load(whole_farm, questions, request.node.name) as polite:
        async with (
            Relay(whole_farm.grpc) as relay,
            AsyncFarmClient(relay.address, retries=0) as slow,
        ):
            assert await ask(slow) == "ok"
            relay.flowing.clear()
            calls = asyncio.gather(*(ask(slow) for _ in range(ASKED)))
            await until(
                lambda: unread_bytes() > MAX_UNREAD_BYTES // 2 - 2 * big_answers.ANSWER_BYTES,
                "as many answers are unread as one client may have",
            )
            await polite.answered(400)
            assert unread_bytes() <= MAX_UNREAD_BYTES // 2 + big_answers.ANSWER_BYTES
            if leaves:
                await slow.close()
            else:
                relay.flowing.set()
            # Each is told in the end what became of it.
            outcomes = Counter(await asyncio.wait_for(calls, 100))
        if leaves:
            assert set(outcomes) == {ErrorCode.CANCELLED}
        else:
            assert set(outcomes) == {"ok", ErrorCode.OVERLOADED}
            assert outcomes["ok"] * big_answers.ANSWER_BYTES > MAX_UNREAD_BYTES // 4


async def test_watchers_that_read_nothing_harm_nobody(
    whole_farm: FarmProcess, questions: Questions, request: pytest.FixtureRequest
) -> None:
    methods = admin_methods()
    asked = {
        "WatchSnapshots": WatchSnapshotsRequest(interval_ns=50_000_000),
        "WatchEvents": WatchEventsRequest(),
    }
    async with (
        polite_load(whole_farm, questions, request.node.name) as polite,
        Relay(whole_farm.grpc) as relay,
        open_aio_channel(relay.address, None) as channel,
    ):
        watches = [
            channel.unary_stream(
                methods[name].path,
                request_serializer=methods[name].request_type.SerializeToString,
                response_deserializer=None,
            )(message)
            for name, message in asked.items()
            for _ in range(WATCHERS)
        ]
        # Each was let in, and then reads no more.
        firsts = await asyncio.wait_for(asyncio.gather(*(each.read() for each in watches)), 60)
        assert grpc.aio.EOF not in firsts
        relay.flowing.clear()
        await polite.answered(4000)
        for watch in watches:
            watch.cancel()
