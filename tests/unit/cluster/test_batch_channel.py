"""Batches over a connection of their own: a gateway's side against an actor's, no Ray."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from threading import Event
from typing import Any

import pytest

from farm.cluster import calls as calls_module
from farm.cluster.calls import ActorCalls
from farm.cluster.channel import BatchChannel
from farm.core.errors import NodeLostError
from farm.core.frames import PROOF_BYTES, Endpoint
from farm.node.intake import Intake

HOST = "127.0.0.1"
CALLERS = 3


class Node:
    """Answers with what it was sent, joined; a call that begins with b"wait" waits."""

    def __init__(self) -> None:
        self.go_on = Event()

    def infer(self, call: bytes, *raws: bytes) -> bytes:
        if call.startswith(b"wait"):
            self.go_on.wait(20)
        return b"|".join((call, *raws))


@pytest.fixture
def node() -> Iterator[Node]:
    node = Node()
    yield node
    node.go_on.set()


@pytest.fixture
def intake(node: Node) -> Iterator[Intake]:
    intake = Intake(node.infer, callers=CALLERS)
    yield intake
    intake.close()


@asynccontextmanager
async def opened(endpoint: Endpoint) -> AsyncIterator[BatchChannel]:
    channel = await BatchChannel.open(endpoint)
    try:
        yield channel
    finally:
        channel.close()
        await channel.ended


@pytest.mark.parametrize("size", [0, 1, 5_000_000], ids=["empty", "small", "large"])
async def test_a_batch_and_its_reply_arrive_as_they_were_sent(intake: Intake, size: int) -> None:
    async with opened(intake.listen(HOST)) as channel:
        block = bytes(range(256)) * (size // 256) + bytes(size % 256)
        assert await channel.send((b"head", block, b"tail")) == b"head|" + block + b"|tail"


async def test_replies_find_their_batches_in_whatever_order_they_come(
    intake: Intake, node: Node
) -> None:
    async with opened(intake.listen(HOST)) as channel:
        held = [channel.send((b"wait", bytes([number]))) for number in range(CALLERS - 1)]
        for number in range(20):
            assert await channel.send((b"quick", bytes([number]))) == b"quick|" + bytes([number])
        assert not any(reply.done() for reply in held)
        node.go_on.set()
        assert await asyncio.gather(*held) == [
            b"wait|" + bytes([number]) for number in range(CALLERS - 1)
        ]


async def test_more_batches_than_may_be_under_way_wait_and_are_answered(
    intake: Intake, node: Node
) -> None:
    async with opened(intake.listen(HOST)) as channel:
        held = [channel.send((b"wait", bytes([number]))) for number in range(4 * CALLERS)]
        node.go_on.set()
        replies = await asyncio.gather(*held)
        assert replies == [b"wait|" + bytes([number]) for number in range(4 * CALLERS)]


async def test_a_gateway_that_gave_up_on_a_batch_still_gets_the_others(
    intake: Intake, node: Node
) -> None:
    async with opened(intake.listen(HOST)) as channel:
        unwanted = channel.send((b"wait",))
        unwanted.cancel()
        node.go_on.set()
        assert await channel.send((b"next",)) == b"next"


async def test_two_gateways_have_connections_of_their_own(intake: Intake, node: Node) -> None:
    endpoint = intake.listen(HOST)
    async with opened(endpoint) as one, opened(endpoint) as other:
        held = [one.send((b"wait",)) for _ in range(2 * CALLERS)]
        assert await other.send((b"quick",)) == b"quick", "the other's batches are not before it"
        node.go_on.set()
        assert await asyncio.gather(*held) == [b"wait"] * (2 * CALLERS)


async def test_a_lost_connection_loses_what_is_under_way_and_says_so(
    intake: Intake, node: Node
) -> None:
    async with opened(intake.listen(HOST)) as channel:
        held = channel.send((b"wait",))
        channel.close()
        with pytest.raises(NodeLostError, match="connection"):
            await held
        await channel.ended
        assert not channel.usable
        with pytest.raises(NodeLostError, match="connection"):
            await channel.send((b"late",))


async def test_without_the_secret_nothing_is_read(intake: Intake) -> None:
    stranger = intake.listen(HOST)._replace(of_gateway=bytes(PROOF_BYTES))
    with pytest.raises(ConnectionError, match="ended the connection"):
        await BatchChannel.open(stranger)


async def test_a_process_that_took_over_a_dead_actors_port_is_not_believed(intake: Intake) -> None:
    impostor = intake.listen(HOST)._replace(of_actor=bytes(PROOF_BYTES))
    with pytest.raises(ConnectionError, match="another process"):
        await BatchChannel.open(impostor)


async def test_strangers_who_say_nothing_keep_nobody_out_for_long(intake: Intake) -> None:
    endpoint = intake.listen(HOST)
    silent = [socket.create_connection((endpoint.host, endpoint.port)) for _ in range(4)]
    try:
        async with opened(endpoint) as channel:
            assert await channel.send((b"hello",)) == b"hello"
    finally:
        for stranger in silent:
            stranger.close()


async def test_an_actor_that_takes_no_more_connections_is_not_reached(intake: Intake) -> None:
    endpoint = intake.listen(HOST)
    async with opened(endpoint) as channel:
        intake.close()
        with pytest.raises(OSError, match="Connect"):
            await BatchChannel.open(endpoint)
        assert await channel.send((b"still",)) == b"still"


def test_an_address_is_listened_to_once(intake: Intake) -> None:
    assert intake.listen(HOST) == intake.listen(HOST)


class Method:
    """A method of an actor, called as Ray's are."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.calls = 0

    def options(self, **_: object) -> "Method":
        return self

    async def remote(self, *_: object) -> Any:
        self.calls += 1
        return self.answer


class Actor:
    """An actor whose batches through Ray are answered with b"ray"."""

    describe = cancel = vitals = missing_files = receive = load = measure = unload = Method(None)

    def __init__(self, endpoint: Endpoint | None) -> None:
        self.infer = Method(b"ray")
        if endpoint is not None:
            self.listen = Method(tuple(endpoint))


async def test_batches_go_over_the_connection_once_there_is_one(
    intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls_module, "own_address", lambda: HOST)
    actor = Actor(intake.listen(HOST))
    calls = ActorCalls(actor, "a")
    assert await calls.reply(calls.infer(b"call", [b"x"])) == b"ray"
    await calls.connect()
    assert await calls.reply(calls.infer(b"call", [b"x"])) == b"call|x"
    await calls.connect()
    assert actor.listen.calls == 1, "one connection is enough"

    calls.disconnect()
    await asyncio.gather(*calls.endings)
    assert await calls.reply(calls.infer(b"call", [b"x"])) == b"ray"
    await calls.connect()
    assert await calls.reply(calls.infer(b"call", [b"x"])) == b"call|x"
    calls.disconnect()
    await asyncio.gather(*calls.endings)


@pytest.mark.parametrize("reason", ["older actor", "closed port"])
async def test_without_a_connection_batches_go_through_ray(
    intake: Intake, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    monkeypatch.setattr(calls_module, "own_address", lambda: HOST)
    endpoint = intake.listen(HOST)
    if reason == "closed port":
        intake.close()
    actor = Actor(None if reason == "older actor" else endpoint)
    calls = ActorCalls(actor, "a")
    for _ in range(2):
        await calls.connect()
        assert await calls.reply(calls.infer(b"call", [])) == b"ray"
        assert not calls.endings
    asked = actor.listen.calls if reason != "older actor" else 0
    assert asked == (reason == "closed port"), "it is not tried again at once"
