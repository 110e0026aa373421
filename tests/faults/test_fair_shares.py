"""A client that floods the farm beside one that asks for little: the little is answered."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from digit_questions import MODEL, Questions
from farm_certificates import new_authority, write_certificate
from farm_process import FarmProcess
from faulty_farm import settled, until
from figures import tell
from history import quantile, violations
from metrics_page import counted, counted_by
from recorded_load import RecordedLoad

from farm.client.tls import ClientTls
from farm.core.errors import ErrorCode
from farm.core.host_tls import HostTls
from farm.core.identities import IdentityKind
from farm.pki import Authority

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.timeout(300)]

FLOOD_CALLERS = 256
# A polite client gets a few answers a second beside the flood, on two cores for all.
FEW, ASKED = 50, 200
# What the flood may be told, and its last calls when it is ended.
REFUSALS = (
    ErrorCode.QUEUE_FULL,
    ErrorCode.OVERLOADED,
    ErrorCode.QUEUE_TIMEOUT,
    ErrorCode.CANCELLED,
)


@contextmanager
def flooded(farm: FarmProcess, *, tls: ClientTls | None) -> Iterator[None]:
    """Let another process ask for digits as fast as it can, over one connection."""
    command = (sys.executable, "-m", "farm", "bench", MODEL, "-d", "600", "-c", str(FLOOD_CALLERS))
    files = (
        {}
        if tls is None
        else {
            "FARM_TLS_CA": str(tls.ca),
            "FARM_TLS_CERTIFICATE": str(tls.certificate),
            "FARM_TLS_KEY": str(tls.key),
        }
    )
    flood = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "FARM_CONNECT": farm.grpc, **files},
    )
    try:
        yield
        assert flood.poll() is None, "the flood has ended by itself"
    finally:
        flood.kill()
        flood.wait()


async def is_fair(
    farm: FarmProcess,
    questions: Questions,
    test: str,
    *,
    greedy: ClientTls | None = None,
    polite: ClientTls | None = None,
) -> None:
    """Flood the farm and see that a polite client is answered as before."""

    def load() -> RecordedLoad:
        return RecordedLoad(farm.grpc, questions, callers=2, pause_s=0.005, tls=polite, warm=FEW)

    def answered() -> float:
        return counted(farm.metrics, "farm_requests_total", outcome="ok")

    async with load() as alone:
        await alone.answered(ASKED)
    errors_before = counted_by(farm.metrics, "farm_errors_total", "code")
    answered_before = answered()
    with flooded(farm, tls=greedy):
        await until(lambda: answered() > answered_before + FLOOD_CALLERS, "the flood has come")
        async with load() as beside:
            await beside.answered(ASKED)
    assert violations(alone.history, questions.truth) == []
    assert violations(beside.history, questions.truth) == []
    await settled(farm.metrics)
    # The flood is served too, and told nothing but that it is too much.
    flood_answered = answered() - answered_before - len(beside.history.replies)
    assert flood_answered > 0
    errors = counted_by(farm.metrics, "farm_errors_total", "code") - errors_before
    assert set(errors) <= set(REFUSALS)
    tell(
        test,
        answered=len(beside.history.replies),
        failed=0,
        p99_ratio=p99_s(beside) / p99_s(alone),
    )


def p99_s(load: RecordedLoad) -> float:
    return quantile(load.history.latencies_s(), 0.99)


async def test_a_flood_from_one_connection_leaves_the_others_their_share(
    whole_farm: FarmProcess, questions: Questions, request: pytest.FixtureRequest
) -> None:
    # On this machine a client is a connection.
    await is_fair(whole_farm, questions, request.node.name)


def of_client(files: HostTls) -> ClientTls:
    return ClientTls(ca=files.ca, certificate=files.certificate, key=files.key)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return new_authority("farm")


@pytest.fixture(scope="module")
def trusting_farm(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[FarmProcess]:
    """A farm whose clients show certificates."""
    folder = tmp_path_factory.mktemp("trusting")
    tls = write_certificate(folder, authority, "local", "127.0.0.1")
    with FarmProcess(
        folder,
        "--nodes",
        "2",
        environment={
            "FARM_TLS__CA": str(tls.ca),
            "FARM_TLS__CERTIFICATE": str(tls.certificate),
            "FARM_TLS__KEY": str(tls.key),
        },
    ) as farm:
        yield farm


async def test_a_flood_by_one_certificate_leaves_the_others_their_share(
    trusting_farm: FarmProcess,
    questions: Questions,
    authority: Authority,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    greedy, polite = (
        of_client(write_certificate(tmp_path, authority, name, kind=IdentityKind.CLIENT))
        for name in ("greedy", "polite")
    )
    await is_fair(trusting_farm, questions, request.node.name, greedy=greedy, polite=polite)
