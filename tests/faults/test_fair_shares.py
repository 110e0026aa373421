"""A client that floods the farm beside one that asks for little: the little is answered."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from farm_certificates import new_authority, write_certificate
from farm_process import FarmProcess
from faulty_farm import settled, until
from figures import tell
from history import History, Reply, Sent, Truth, quantile, violations
from metrics_page import counted, counted_by
from recorded_flood import MODEL, question, truth_of
from recorded_load import told
from served_models import write_slow

from farm.client import AsyncFarmClient
from farm.client.tls import ClientTls
from farm.core.errors import ErrorCode
from farm.core.host_tls import HostTls
from farm.core.identities import IdentityKind
from farm.pki import Authority

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.timeout(300)]

# Slow beside what a gateway does for a request: what the flood asks for waits in the queue.
STEPS = range(4_000, 4_010)
FLOOD_CALLERS = 128
# There, at any time. The others are just being answered, or sent.
WAITING = FLOOD_CALLERS // 2
# Of a polite client: one after the other, then so many at a time that some always wait.
ASKED, CALLERS = 60, 8
# Promised is that one answer of the flood goes before a request that comes alone; others run
# or are about to when it comes, or run beside it. With one queue for all it would be the queue.
MAY_OVERTAKE = WAITING // 4
# Promised is a half. With one queue for all it would be what the callers are of all callers.
LEAST_SHARE = 0.25
TIMEOUT_S = 60.0
# What the flood may be told, and its last calls when it is ended.
REFUSALS = (
    ErrorCode.QUEUE_FULL,
    ErrorCode.OVERLOADED,
    ErrorCode.QUEUE_TIMEOUT,
    ErrorCode.CANCELLED,
)


@contextmanager
def flooded(farm: FarmProcess, folder: Path, *, tls: ClientTls | None) -> Iterator[None]:
    """Let another process ask as fast as it is answered, over one connection."""
    asked = folder / "steps.npy"
    np.save(asked, question(STEPS[0]))
    command = (sys.executable, "-m", "farm", "bench", MODEL, "-i", f"STEPS={asked}")
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
        (*command, "-d", "600", "-c", str(FLOOD_CALLERS)),
        stdout=subprocess.DEVNULL,
        env={**os.environ, "FARM_CONNECT": farm.grpc, **files},
    )
    try:
        yield
        assert flood.poll() is None, "the flood has ended by itself"
    finally:
        flood.kill()
        flood.wait()


async def ask(client: AsyncFarmClient, history: History) -> None:
    """Ask once, and write down what was sent and told."""
    number = len(history.sent)
    steps = STEPS[number % len(STEPS)]
    began_s = time.monotonic()
    history.sent.append(Sent(number=number, at_s=began_s, question=str(steps), timeout_s=TIMEOUT_S))
    call = client.infer(MODEL, {"STEPS": question(steps)}, timeout_s=TIMEOUT_S)
    outcome = await told(call, "DONE")
    history.replies.append(Reply(number=number, at_s=time.monotonic(), outcome=outcome))


async def is_fair(
    farm: FarmProcess,
    truth: Truth,
    folder: Path,
    test: str,
    *,
    greedy: ClientTls | None = None,
    polite: ClientTls | None = None,
) -> None:
    """Flood the farm and see that a polite client has its turn and its share."""

    def answered() -> float:
        return counted(farm.metrics, "farm_requests_total", outcome="ok")

    def waiting() -> float:
        return counted(farm.metrics, "farm_queued_requests")

    alone, beside, together = History(), History(), History()

    async def ask_often() -> None:
        for _ in range(ASKED // 4):
            await ask(client, together)

    async with AsyncFarmClient(farm.grpc, tls=polite, retries=0) as client:
        for _ in range(ASKED):
            await ask(client, alone)
        errors_before = counted_by(farm.metrics, "farm_errors_total", "code")
        with flooded(farm, folder, tls=greedy):
            await until(lambda: waiting() >= WAITING, "the flood waits")
            overtaken, queue = list[float](), list[float]()
            for _ in range(ASKED):
                queue.append(waiting())
                before = answered()
                await ask(client, beside)
                overtaken.append(answered() - before - 1)
            before = answered()
            await asyncio.gather(*(ask_often() for _ in range(CALLERS)))
            share = len(together.replies) / (answered() - before)
            queue.append(waiting())
    for history in (alone, beside, together):
        assert violations(history, truth) == []
    assert min(queue) >= WAITING
    assert quantile(sorted(overtaken), 0.9) <= MAY_OVERTAKE
    assert share >= LEAST_SHARE
    await settled(farm.metrics)
    # The flood is served too, and told nothing but that it is too much.
    assert sum(overtaken) > 0
    errors = counted_by(farm.metrics, "farm_errors_total", "code") - errors_before
    assert set(errors) <= set(REFUSALS)
    tell(
        test,
        answered=len(beside.replies) + len(together.replies),
        failed=0,
        p99_ratio=p99_s(beside) / p99_s(alone),
    )


def p99_s(history: History) -> float:
    return quantile(history.latencies_s(), 0.99)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fair") / "models"
    folder.mkdir()
    write_slow(folder, MODEL)
    return folder


@pytest.fixture(scope="module")
def truth(models: Path) -> Truth:
    return truth_of(models, STEPS)


async def test_a_flood_from_one_connection_leaves_the_others_their_share(
    whole_farm: FarmProcess, truth: Truth, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    # On this machine a client is a connection.
    await is_fair(whole_farm, truth, tmp_path, request.node.name)


def of_client(files: HostTls) -> ClientTls:
    return ClientTls(ca=files.ca, certificate=files.certificate, key=files.key)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return new_authority("farm")


@pytest.fixture(scope="module")
def trusting_farm(models: Path, authority: Authority) -> Iterator[FarmProcess]:
    """A farm whose clients show certificates."""
    folder = models.parent
    tls = write_certificate(folder, authority, "local", "127.0.0.1")
    with FarmProcess(
        folder,
        "--nodes",
        "2",
        "--models",
        str(models),
        environment={
            "FARM_TLS__CA": str(tls.ca),
            "FARM_TLS__CERTIFICATE": str(tls.certificate),
            "FARM_TLS__KEY": str(tls.key),
        },
    ) as farm:
        yield farm


async def test_a_flood_by_one_certificate_leaves_the_others_their_share(
    trusting_farm: FarmProcess,
    truth: Truth,
    authority: Authority,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    greedy, polite = (
        of_client(write_certificate(tmp_path, authority, name, kind=IdentityKind.CLIENT))
        for name in ("greedy", "polite")
    )
    await is_fair(trusting_farm, truth, tmp_path, request.node.name, greedy=greedy, polite=polite)
