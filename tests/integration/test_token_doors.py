"""Tokens at a real farm's doors, from an address that is not loopback: in, refused, revoked.

What a token may do by method, and how its file is followed, is in tests/unit/frontend too.
"""

import asyncio
import json
import os
import ssl
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import grpc
import numpy as np
import psutil
import pytest
from error_rows import infer, load
from farm_certificates import new_authority, write_certificate
from farm_process import FarmProcess, wait_until
from otlp_collector import Collector, running_collector
from outside import needs_outside, outside_address
from served_models import copy_samples

from farm.client import AdminClient, AsyncFarmClient, ClientTls, FarmClient
from farm.client.channel import admin_methods, open_aio_channel
from farm.core.errors import UnauthenticatedError
from farm.pb.farm_admin_pb2 import DescribeModelRequest, NodeActionRequest, VersionRequest
from farm.pb.open_inference_pb2 import (
    LogSettingsRequest,
    RepositoryIndexRequest,
    RepositoryModelLoadRequest,
    RepositoryModelUnloadRequest,
)
from farm.pb.services import INFERENCE_SERVICE

pytestmark = [pytest.mark.integration, pytest.mark.doors, needs_outside]

ROLES = ("infer", "operate", "admin")
MANY_WRONG = 10_000
AT_ONCE = 100
CALLS_S = 120.0


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """A farm that listens on every interface, its file of tokens, and one token of each role."""

    process: FarmProcess
    collector: Collector
    folder: Path
    tls: ClientTls
    tokens: dict[str, str]

    @property
    def file(self) -> Path:
        return self.folder / "tokens.json"

    @property
    def outside(self) -> str:
        """Where strangers reach its gateway."""
        return f"{outside_address()}:{self.process.grpc.rpartition(':')[2]}"

    @property
    def metrics(self) -> str:
        return f"https://{outside_address()}:{self.process.metrics.rpartition(':')[2]}/metrics"


def command(*arguments: str, **environment: str) -> str:
    """Run a command as users do and return what it says on standard output."""
    ended = subprocess.run(
        [sys.executable, "-m", "farm", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return ended.stdout


def issue(file: Path, name: str, role: str = "infer") -> str:
    return command("tokens", "issue", name, "--role", role, "--file", str(file)).strip()


def revoke(file: Path, name: str) -> None:
    command("tokens", "revoke", name, "--file", str(file))


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    folder = tmp_path_factory.mktemp("tokens")
    models = folder / "models"
    models.mkdir()
    copy_samples(models)
    own = write_certificate(folder, new_authority(), "head", "127.0.0.1", outside_address())
    tokens = {role: issue(folder / "tokens.json", role, role) for role in ROLES}
    settings = {
        "models": str(models),
        "tls": {"certificate": str(own.certificate), "key": str(own.key), "clients": "none"},
    }
    with running_collector() as collector:
        settings["tracing"] = {"endpoint": collector.endpoint, "sample_ratio": 1.0}
        config = folder / "farm.yaml"
        config.write_text(json.dumps(settings))
        arguments = ("--nodes", "1", "--config", str(config), "--tokens", f"{folder}/tokens.json")
        with FarmProcess(folder, *arguments, grpc="0.0.0.0:0", metrics="0.0.0.0:0") as process:
            yield Shelf(
                process=process,
                collector=collector,
                folder=folder,
                tls=ClientTls(ca=own.ca),
                tokens=tokens,
            )


@pytest.fixture
def stranger(shelf: Shelf) -> Iterator[grpc.Channel]:
    with grpc.secure_channel(shelf.outside, shelf.tls.credentials()) as channel:
        yield channel


def path(method: str) -> str:
    return f"/{INFERENCE_SERVICE}/{method}"


def own_config() -> bytes:
    request = RepositoryModelLoadRequest(model_name="simple")
    request.parameters["config"].string_param = "{}"
    return request.SerializeToString()


def quieter() -> bytes:
    request = LogSettingsRequest()
    request.settings["log_verbose_level"].uint32_param = 0
    return request.SerializeToString()


# One of each class of methods, by the role that it needs; nothing here leaves a change behind.
CALLS = (
    ("infer", path("ModelInfer"), infer().SerializeToString()),
    ("infer", path("RepositoryIndex"), RepositoryIndexRequest().SerializeToString()),
    ("operate", admin_methods()["Version"].path, VersionRequest().SerializeToString()),
    (
        "operate",
        admin_methods()["DescribeModel"].path,
        DescribeModelRequest(name="simple").SerializeToString(),
    ),
    (
        "operate",
        admin_methods()["NodeAction"].path,
        NodeActionRequest(node_id="local-1", action="uncordon").SerializeToString(),
    ),
    ("operate", path("RepositoryModelLoad"), load("simple")),
    (
        "operate",
        path("RepositoryModelUnload"),
        RepositoryModelUnloadRequest(model_name="none").SerializeToString(),
    ),
    ("admin", path("RepositoryModelLoad"), own_config()),
    ("admin", path("LogSettings"), quieter()),
)
REFUSALS = (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED)


def status(channel: grpc.Channel, method: str, request: bytes, token: str | None) -> object:
    shown = () if token is None else (("authorization", f"Bearer {token}"),)
    try:
        channel.unary_unary(method)(request, metadata=shown, timeout=CALLS_S)
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


@pytest.mark.parametrize("role", ROLES)
def test_a_token_opens_what_its_role_opens(shelf: Shelf, stranger: grpc.Channel, role: str) -> None:
    for needed, method, request in CALLS:
        got = status(stranger, method, request, shelf.tokens[role])
        if ROLES.index(role) >= ROLES.index(needed):
            assert got not in REFUSALS, (method, got)
        else:
            assert got is grpc.StatusCode.PERMISSION_DENIED, (method, got)


def test_nothing_opens_without_a_good_token(shelf: Shelf, stranger: grpc.Channel) -> None:
    gone = issue(shelf.file, "gone", "admin")
    revoke(shelf.file, "gone")
    wait_until(
        lambda: status(stranger, *CALLS[0][1:], gone) is grpc.StatusCode.UNAUTHENTICATED,
        timeout_s=CALLS_S,
        what="the gateway has seen that it was revoked",
    )
    good = shelf.tokens["admin"]
    bad = [None, "", "x", good[:-1] + ("0" if good[-1] != "0" else "1"), gone, good.upper()]
    for _, method, request in CALLS:
        for token in bad:
            got = status(stranger, method, request, token)
            assert got is grpc.StatusCode.UNAUTHENTICATED, (method, token, got)


def test_a_token_is_not_sent_nor_taken_without_tls(shelf: Shelf) -> None:
    with grpc.insecure_channel(shelf.outside) as channel:
        got = status(channel, CALLS[0][1], CALLS[0][2], shelf.tokens["admin"])
    assert got is grpc.StatusCode.UNAVAILABLE
    with grpc.insecure_channel(shelf.outside) as channel:
        assert status(channel, CALLS[0][1], CALLS[0][2], None) is grpc.StatusCode.UNAVAILABLE


def test_a_load_balancer_needs_none(shelf: Shelf) -> None:
    with FarmClient(shelf.outside, tls=shelf.tls) as nobody:
        assert nobody.live() and nobody.ready()


def test_who_is_on_the_gateways_machine_needs_none(shelf: Shelf) -> None:
    port = shelf.process.grpc.rpartition(":")[2]
    with AdminClient(f"127.0.0.1:{port}", tls=shelf.tls) as admin:
        assert admin.version().farm_name


def test_nothing_else_listens_beyond_loopback(shelf: Shelf) -> None:
    opened = {int(each.rpartition(":")[2]) for each in (shelf.process.grpc, shelf.process.metrics)}
    for process in (psutil.Process(shelf.process.process.pid), *shelf.process.family()):
        with suppress(psutil.NoSuchProcess):
            listening = [
                each.laddr
                for each in process.net_connections()
                if each.status == psutil.CONN_LISTEN
            ]
            # In IPv6 as well: ::1 and ::ffff:127.0.0.1.
            beyond = {
                port for ip, port in listening if not ip.endswith("127.0.0.1") and ip != "::1"
            }
            assert beyond <= opened, process.name()


# -- changes while it serves ----------------------------------------------------------------


def test_tokens_come_and_go_while_others_are_served(shelf: Shelf) -> None:
    """Issue and revoke by the command while somebody else's requests run."""

    async def polite(stop: asyncio.Event) -> int:
        answered = 0
        async with AsyncFarmClient(
            shelf.outside, tls=shelf.tls, token=shelf.tokens["infer"], retries=0
        ) as client:
            while not stop.is_set():
                await client.infer("simple", INPUTS, timeout_s=CALLS_S)
                answered += 1
        return answered

    async def turn(number: int) -> None:
        name = f"passing-{number}"
        token = await asyncio.to_thread(issue, shelf.file, name)
        async with AsyncFarmClient(shelf.outside, tls=shelf.tls, token=token, retries=0) as client:
            await client.infer("simple", INPUTS, timeout_s=CALLS_S)
            await asyncio.to_thread(revoke, shelf.file, name)
            # The gateway looks at its file five times a second.
            with pytest.raises(UnauthenticatedError, match=f"'{name}' was revoked"):
                for _ in range(1_000):
                    await client.infer("simple", INPUTS, timeout_s=CALLS_S)

    async def run() -> int:
        stop = asyncio.Event()
        serving = asyncio.create_task(polite(stop), name="polite")
        try:
            for number in range(3):
                await turn(number)
        finally:
            stop.set()
            answered = await serving
        return answered

    assert asyncio.run(run()) > 0


INPUTS = {
    "INPUT0": np.arange(16, dtype=np.int32).reshape(1, 16),
    "INPUT1": np.ones((1, 16), np.int32),
}


def test_a_stream_ends_with_its_token(shelf: Shelf) -> None:
    token = issue(shelf.file, "watcher", "operate")
    with AdminClient(shelf.outside, tls=shelf.tls, token=token) as admin:
        snapshots = admin.watch(0.2)
        next(snapshots)
        revoke(shelf.file, "watcher")
        with pytest.raises(UnauthenticatedError):
            for _ in range(1_000):
                next(snapshots)


# -- strangers in numbers -------------------------------------------------------------------


def test_ten_thousand_wrong_tokens_hurt_nobody_and_fill_no_log(shelf: Shelf) -> None:
    request = infer().SerializeToString()

    async def flood() -> None:
        left = iter(range(MANY_WRONG))
        async with open_aio_channel(shelf.outside, shelf.tls) as channel:
            call = channel.unary_unary(path("ModelInfer"))

            async def knock() -> None:
                for number in left:
                    shown = (("authorization", f"Bearer farm_{number:012x}_{'0' * 64}"),)
                    with pytest.raises(grpc.aio.AioRpcError) as caught:
                        await call(request, metadata=shown, timeout=CALLS_S)
                    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED

            async with asyncio.TaskGroup() as tasks:
                for _ in range(AT_ONCE):
                    tasks.create_task(knock())

    async def run() -> int:
        flooding = asyncio.create_task(flood(), name="flood")
        answered = 0
        async with AsyncFarmClient(
            shelf.outside, tls=shelf.tls, token=shelf.tokens["infer"], retries=0
        ) as client:
            while not flooding.done():
                await client.infer("simple", INPUTS, timeout_s=CALLS_S)
                answered += 1
        await flooding
        return answered

    before = len(shelf.process.log())
    assert asyncio.run(run()) > 0
    log = shelf.process.log()
    # It is told, though maybe of those before: one line in ten seconds.
    assert "token_refused" in log
    assert len(log[before:].splitlines()) < MANY_WRONG / 100


# -- the metrics page -----------------------------------------------------------------------


def scraped(shelf: Shelf, token: str | None) -> str:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    context = ssl.create_default_context(cafile=str(shelf.tls.ca))
    request = Request(shelf.metrics, headers=headers)  # noqa: S310
    with urlopen(request, context=context, timeout=CALLS_S) as page:  # noqa: S310
        text: str = page.read().decode()
    return text


def test_metrics_are_for_who_shows_a_token_over_tls(shelf: Shelf) -> None:
    assert "farm_nodes" in scraped(shelf, shelf.tokens["infer"])
    for token in (None, "x", f"farm_{'0' * 12}_{'0' * 64}"):
        with pytest.raises(HTTPError) as caught:
            scraped(shelf, token)
        with caught.value as answer:
            assert answer.code == 401


# -- where no token is ----------------------------------------------------------------------


def test_tokens_are_nowhere_to_be_read(shelf: Shelf) -> None:
    """Use every token in good and in bad ways, then look where anybody might read of it."""
    secrets = {token.rpartition("_")[2] for token in shelf.tokens.values()}
    lost = issue(shelf.file, "lost", "operate")
    with AdminClient(shelf.outside, tls=shelf.tls, token=lost) as admin:
        admin.uncordon("local-1")
        revoke(shelf.file, "lost")
        with pytest.raises(UnauthenticatedError):
            for _ in range(1_000):
                admin.uncordon("local-1")
    secrets.add(lost.rpartition("_")[2])
    with AdminClient(shelf.outside, tls=shelf.tls, token=shelf.tokens["operate"]) as admin:
        events = repr(next(admin.events(timeout_s=CALLS_S)))
        ledger = repr(admin.snapshot())
    assert "token lost (operate)" in events
    processes = [psutil.Process(shelf.process.process.pid), *shelf.process.family()]
    argv = repr([process.cmdline() for process in processes])
    bundle = shelf.folder / "bundle.tar.gz"
    command(
        "support-bundle", "--to", str(bundle), "--log", str(shelf.process.log_file),
        "--config", str(shelf.folder / "farm.yaml"),
        FARM_CONNECT=shelf.outside, FARM_TLS_CA=str(shelf.tls.ca),
        FARM_TOKEN=shelf.tokens["operate"],
    )  # fmt: skip
    with tarfile.open(bundle) as parts:
        bundled = repr([_content(parts, member) for member in parts.getmembers()])
    spans = repr(shelf.collector.await_spans())
    kept = shelf.file.read_text()
    places = {
        "log": shelf.process.log(), "argv": argv, "events": events, "snapshot": ledger,
        "metrics": scraped(shelf, shelf.tokens["infer"]), "traces": spans, "file": kept,
        "bundle": bundled,
    }  # fmt: skip
    for name, text in places.items():
        assert text, name
        for secret in secrets:
            assert secret not in text, name
            assert secret[:24] not in text, name
    assert shelf.file.stat().st_mode & 0o777 == 0o600


def _content(parts: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = parts.extractfile(member)
    return file.read() if file is not None else b""
