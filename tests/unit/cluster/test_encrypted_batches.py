"""Batches between machines: who is let in, and what arrives, with real certificates."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
from farm_certificates import new_authority, write_certificate
from free_ports import free_port

from farm.cluster.channel import BatchChannel
from farm.core.errors import NodeLostError
from farm.core.frames import PROOF_BYTES, Endpoint
from farm.core.host_tls import HostTls, shown_to_itself
from farm.core.identities import IdentityKind
from farm.node.intake import Intake
from farm.pki import Authority

HOST = "127.0.0.1"
CALLERS = 4

Issue = Callable[..., HostTls]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return new_authority()


@pytest.fixture
def issue(tmp_path: Path, authority: Authority) -> Issue:
    return lambda name, *addresses, **more: write_certificate(
        tmp_path, authority, name, *(addresses or (HOST,)), **more
    )


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
def intake(node: Node, issue: Issue) -> Iterator[Intake]:
    intake = Intake(node.infer, callers=CALLERS, tls=issue("pi-01"))
    yield intake
    intake.close()


@asynccontextmanager
async def opened(
    endpoint: Endpoint, tls: HostTls | None, machine: str = "pi-01"
) -> AsyncIterator[BatchChannel]:
    channel = await BatchChannel.open(endpoint, tls=tls, machine=machine)
    try:
        yield channel
    finally:
        channel.close()
        await channel.ended


async def refusal(endpoint: Endpoint, tls: HostTls | None, machine: str = "pi-01") -> str:
    """Return why a connection is not made."""
    with pytest.raises(OSError) as caught:
        async with opened(endpoint, tls, machine):
            pass
    return str(caught.value)


@pytest.mark.parametrize("size", [0, 1, 5_000_000], ids=["empty", "small", "large"])
async def test_a_batch_and_its_reply_arrive_as_they_were_sent(
    intake: Intake, issue: Issue, size: int
) -> None:
    async with opened(intake.listen(HOST), issue("pi-head")) as channel:
        block = bytes(range(256)) * (size // 256) + bytes(size % 256)
        assert await channel.send((b"head", block, b"tail")) == b"head|" + block + b"|tail"


async def test_many_large_batches_cross_each_other_whole(intake: Intake, issue: Issue) -> None:
    # Threads read, write and run for one connection at once.
    blocks = [bytes([number]) * 700_000 for number in range(40)]
    async with opened(intake.listen(HOST), issue("pi-head")) as channel:
        replies = await asyncio.gather(*(channel.send((b"call", block)) for block in blocks))
    assert replies == [b"call|" + block for block in blocks]


async def test_replies_are_written_while_another_batch_is_awaited(
    intake: Intake, node: Node, issue: Issue
) -> None:
    async with opened(intake.listen(HOST), issue("pi-head")) as channel:
        held = [channel.send((b"wait", bytes([number]))) for number in range(CALLERS - 1)]
        for number in range(20):
            assert await channel.send((b"quick", bytes([number]))) == b"quick|" + bytes([number])
        assert not any(reply.done() for reply in held)
        node.go_on.set()
        assert len(await asyncio.gather(*held)) == CALLERS - 1


async def test_a_lost_connection_loses_what_is_under_way(intake: Intake, issue: Issue) -> None:
    async with opened(intake.listen(HOST), issue("pi-head")) as channel:
        held = channel.send((b"wait",))
        channel.close()
        with pytest.raises(NodeLostError, match="connection"):
            await held


async def test_a_gateway_of_another_farm_is_not_let_in(
    intake: Intake, issue: Issue, tmp_path: Path
) -> None:
    other = write_certificate(tmp_path / "other", new_authority(), "pi-head", HOST)
    # It would trust this farm, but is not trusted itself.
    other = replace(other, ca=issue("pi-head").ca)
    assert "ended the connection" in await refusal(intake.listen(HOST), other)


async def test_a_node_of_another_farm_is_told_nothing(intake: Intake, tmp_path: Path) -> None:
    other = write_certificate(tmp_path / "other", new_authority(), "pi-head", HOST)
    assert "CERTIFICATE_VERIFY_FAILED" in await refusal(intake.listen(HOST), other)


@pytest.mark.parametrize("kind", [IdentityKind.CLIENT, IdentityKind.OPERATOR])
async def test_who_is_no_machine_is_not_let_in(
    intake: Intake, issue: Issue, kind: IdentityKind
) -> None:
    person = issue("ada", kind=kind)
    assert "ended the connection" in await refusal(intake.listen(HOST), person)


async def test_a_node_is_known_by_its_name(intake: Intake, issue: Issue) -> None:
    said = await refusal(intake.listen(HOST), issue("pi-head"), machine="pi-02")
    assert said == "its certificate is that of 'pi-01'"


async def test_a_node_is_known_by_its_address(node: Node, issue: Issue) -> None:
    intake = Intake(node.infer, callers=1, tls=issue("pi-09", "198.18.0.9"))
    try:
        said = await refusal(intake.listen(HOST), issue("pi-head"), machine="pi-09")
    finally:
        intake.close()
    assert "IP address mismatch" in said


async def test_the_secret_is_needed_all_the_same(intake: Intake, issue: Issue) -> None:
    stranger = intake.listen(HOST)._replace(of_gateway=bytes(PROOF_BYTES))
    assert "ended the connection" in await refusal(stranger, issue("pi-head"))


async def test_who_does_not_encrypt_is_not_let_in(intake: Intake) -> None:
    assert "ended the connection" in await refusal(intake.listen(HOST), None)


async def test_strangers_keep_nobody_out(intake: Intake, issue: Issue) -> None:
    endpoint = intake.listen(HOST)
    silent = [socket.create_connection((endpoint.host, endpoint.port)) for _ in range(4)]
    try:
        for stranger in silent[:2]:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
        async with opened(endpoint, issue("pi-head")) as channel:
            assert await channel.send((b"hello",)) == b"hello"
    finally:
        for stranger in silent:
            stranger.close()


async def test_a_renewed_certificate_is_shown_to_the_next_gateway(node: Node, issue: Issue) -> None:
    own, renewed = issue("pi-01"), issue("pi-02")
    intake = Intake(node.infer, callers=1, tls=own)
    try:
        endpoint = intake.listen(HOST)
        own.certificate.write_bytes(renewed.certificate.read_bytes())
        own.key.write_bytes(renewed.key.read_bytes())
        async with opened(endpoint, issue("pi-head"), "pi-02") as channel:
            assert await channel.send((b"hello",)) == b"hello"
    finally:
        intake.close()


def test_a_pinned_port_is_listened_on(node: Node, issue: Issue) -> None:
    port = free_port(HOST)
    intake = Intake(node.infer, callers=1, port=port, tls=issue("pi-01"))
    try:
        assert intake.listen(HOST).port == port
    finally:
        intake.close()


def test_a_certificate_for_another_address_is_found_before_anybody_connects(issue: Issue) -> None:
    tls = issue("pi-01", "198.18.0.11")
    assert shown_to_itself(tls, "198.18.0.11")["subjectAltName"]
    with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
        shown_to_itself(tls, HOST)
