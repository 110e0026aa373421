"""Connections that say nothing: that ten thousand harm nobody, and that one may wait."""

import resource
import socket
from contextlib import ExitStack

import psutil
import pytest
from digit_questions import Questions
from farm_process import FarmProcess
from faulty_farm import settled, until
from figures import tell
from history import violations
from memory_peak import MemoryPeak
from recorded_load import RecordedLoad

from farm.client import AdminClient
from farm.core.errors import DeadlineExceededError

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.timeout(300)]

WANTED = 10_000
MIB = 1 << 20
# As long as four questions whether the gateway lives, of which gRPC's servers bear three.
SILENCE_S = 45.0
# What the gateway and this process have open beside.
OTHER_DESCRIPTORS = 500
# How an HTTP/2 client begins: RFC 9113, 3.4, with empty SETTINGS.
GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04\0\0\0\0\0"


def as_many_as_allowed() -> int:
    """Return how many connections a process of this user may have, and it wants no more."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(WANTED, allowed - OTHER_DESCRIPTORS)


async def test_idle_connections_harm_nobody(
    whole_farm: FarmProcess, questions: Questions, request: pytest.FixtureRequest
) -> None:
    gateway = psutil.Process(whole_farm.process.pid)
    host, _, port = whole_farm.grpc.rpartition(":")
    before, wanted = gateway.num_fds(), as_many_as_allowed()
    with ExitStack() as idle, MemoryPeak(gateway.pid) as memory:
        for number in range(wanted):
            connection = socket.create_connection((host, int(port)), timeout=60)
            idle.enter_context(connection)
            # Half of them are gRPC's, the others are nobody's.
            if number % 2:
                connection.sendall(GREETING)
        await until(lambda: gateway.num_fds() - before >= wanted, "all connections are taken")
        async with RecordedLoad(whole_farm.grpc, questions, callers=4) as polite:
            await polite.answered(400)
        connected = gateway.num_fds() - before
    assert violations(polite.history, questions.truth) == []
    await until(lambda: gateway.num_fds() <= before, "every connection is closed")
    await settled(whole_farm.metrics)
    tell(
        request.node.name,
        answered=len(polite.history.replies),
        connections=connected,
        grown_mib=memory.grown_bytes / MIB,
    )


def test_who_waits_in_silence_may_ask_whether_the_gateway_lives(whole_farm: FarmProcess) -> None:
    with AdminClient(whole_farm.grpc) as admin, pytest.raises(DeadlineExceededError):
        for _ in admin.events(timeout_s=SILENCE_S):
            pass
