"""Tokens between real clients and a real frontend: who is let in, to what, and who is not."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_dataplane import running_frontend
from structlog.testing import capture_logs
from tritonclient.grpc import InferenceServerClient, InferenceServerException, InferInput

from farm.client import AdminClient, AsyncFarmClient, ClientTls, FarmClient
from farm.client.codec import to_request
from farm.client.load.generator import LoadPlan, run_load
from farm.core.clock import SystemClock
from farm.core.errors import (
    ConfigurationError,
    ErrorCode,
    FarmError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from farm.core.identities import Identity, IdentityKind
from farm.core.roles import Role
from farm.core.token_files import write_tokens
from farm.core.tokens import Tokens
from farm.frontend import tokens as module
from farm.frontend.tls import TlsSettings
from farm.frontend.tokens import TokenFile, token_in
from farm.pki import Authority

INPUTS = {"x": np.array([[1, 2]], np.uint8)}


class Issued:
    """A farm's file of tokens, and the tokens themselves."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "tokens.json"
        self.tokens = Tokens()
        self.keep()

    def issue(
        self, name: str, role: Role = Role.INFER, *, days: int = 30, ago: timedelta = timedelta()
    ) -> str:
        then = datetime.now(UTC) - ago
        self.tokens, text = self.tokens.issue(name, role, now=then, days=days)
        self.keep()
        return text

    def revoke(self, name: str) -> None:
        self.tokens = self.tokens.revoke(name, now=datetime.now(UTC))
        self.keep()

    def keep(self) -> None:
        write_tokens(self.path, self.tokens)

    def file(self) -> TokenFile:
        return TokenFile(self.path, SystemClock())


@pytest.fixture(autouse=True)
def _looks_at_every_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOK_S", 0.0)


@pytest.fixture
def issued(tmp_path: Path) -> Issued:
    return Issued(tmp_path)


@pytest.fixture(params=["plain", "encrypted"])
def tls(request: pytest.FixtureRequest, tmp_path: Path) -> "Tls":
    return Tls(tmp_path, encrypted=request.param == "encrypted")


class Tls:
    """The gateway's certificate and the client's trust in it, or neither."""

    def __init__(self, folder: Path, *, encrypted: bool) -> None:
        now = datetime.now(UTC)
        authority = Authority.create("shelf", now=now)
        own = authority.issue(
            Identity("shelf", IdentityKind.NODE, "head"), now=now, addresses=["127.0.0.1"]
        )
        ca, certificate, key = (folder / name for name in ("ca.pem", "c.pem", "k.pem"))
        ca.write_bytes(authority.certificate_pem)
        certificate.write_bytes(own.certificate_pem)
        key.write_bytes(own.key_pem)
        self.server = TlsSettings(certificate=certificate, key=key) if encrypted else None
        self.client = ClientTls(ca=ca) if encrypted else None


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody pass for somebody on the gateway's own machine."""
    monkeypatch.setattr("farm.frontend.callers.is_loopback", lambda _: False)


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),)


async def infer(address: str, tls: ClientTls | None, token: str | None) -> Any:
    async with AsyncFarmClient(address, tls=tls, token=token, retries=0) as client:
        return (await client.infer("echo", INPUTS, timeout_s=30))["y"].tolist()


async def refused(address: str, tls: ClientTls | None, token: str | None) -> FarmError:
    with pytest.raises(FarmError) as caught:
        await infer(address, tls, token)
    return caught.value


# -- ways in --------------------------------------------------------------------------------


async def test_every_client_can_show_a_token(issued: Issued, tls: Tls) -> None:
    token = issued.issue("ci")

    def blocking(address: str) -> Any:
        with FarmClient(address, tls=tls.client, token=token) as client:
            answers = client.stream("echo", [INPUTS])
            return [client.infer("echo", INPUTS)["y"].tolist()] + [
                answer.unwrap()["y"].tolist() for answer in answers
            ]

    def triton(address: str) -> Any:
        asked = InferInput("x", [1, 2], "UINT8")
        asked.set_data_from_numpy(INPUTS["x"])
        encrypted = {"ssl": True, "root_certificates": str(tls.client.ca)} if tls.client else {}
        with InferenceServerClient(address, **encrypted) as client:
            headers = {"authorization": f"Bearer {token}"}
            return client.infer("echo", [asked], headers=headers).as_numpy("y").tolist()

    async def streamed(address: str) -> Any:
        async with AsyncFarmClient(address, tls=tls.client, token=token) as client:
            return [one.unwrap()["y"].tolist() async for one in client.stream("echo", [INPUTS])]

    async with running_frontend(tls.server, tokens=issued.file()) as farm:
        assert await infer(farm.address, tls.client, token) == [[1, 2]]
        assert await streamed(farm.address) == [[[1, 2]]]
        assert await asyncio.to_thread(blocking, farm.address) == [[[1, 2]], [[1, 2]]]
        assert await asyncio.to_thread(triton, farm.address) == [[1, 2]]
        (known,) = {call.client for call in farm.dataplane.calls}
        assert known == f"token:{issued.tokens.issued[0].id}", "each holder has a turn of its own"
        for stream in (False, True):
            plan = LoadPlan(
                request=to_request("echo", INPUTS), rows=1, duration_s=0.1, warmup_s=0,
                stream=stream,
            )  # fmt: skip
            result = await run_load(farm.address, plan, tls=tls.client, token=token)
            assert result.latency.count and not result.failed


@pytest.mark.parametrize("role", Role)
async def test_a_token_may_what_its_role_may(role: Role, issued: Issued, tls: Tls) -> None:
    token = issued.issue("ann", role)
    async with running_frontend(tls.server, tokens=issued.file()) as farm:
        assert await infer(farm.address, tls.client, token) == [[1, 2]]
        with AdminClient(farm.address, tls=tls.client, token=token) as admin:
            for needed, call in (
                (Role.OPERATE, admin.version),
                (Role.OPERATE, lambda: admin.cordon("pi-1")),
                (Role.OPERATE, lambda: admin.load("echo")),
                (Role.ADMIN, lambda: admin.load("echo", config={"backend": "onnx"})),
            ):
                if role >= needed:
                    await asyncio.to_thread(call)
                else:
                    with pytest.raises(PermissionDeniedError, match=f"you have '{role}'"):
                        await asyncio.to_thread(call)
        assert {act.actor for act in farm.acts} == {f"token ann ({role}) at 127.0.0.1"}


async def test_no_token_is_needed_on_the_gateways_own_machine(issued: Issued, tls: Tls) -> None:
    async with running_frontend(tls.server, tokens=issued.file()) as farm:
        assert await infer(farm.address, tls.client, None) == [[1, 2]]


@pytest.mark.usefixtures("elsewhere")
async def test_whether_a_gateway_serves_is_told_without_one(issued: Issued, tls: Tls) -> None:
    async with running_frontend(tls.server, tokens=issued.file()) as farm:
        async with AsyncFarmClient(farm.address, tls=tls.client) as client:
            assert await client.live()
        assert isinstance(await refused(farm.address, tls.client, None), UnauthenticatedError)


# -- refusals -------------------------------------------------------------------------------


def wrong(token: str) -> str:
    return token[:-1] + ("0" if token[-1] != "0" else "1")


WAYS: dict[str, Callable[[Issued], str]] = {
    "unknown": lambda issued: f"farm_{'0' * 12}_{'0' * 64}",
    "wrong": lambda issued: wrong(issued.issue("ci")),
}


async def test_an_unknown_token_and_a_wrong_one_get_the_same_answer(
    issued: Issued, tls: Tls
) -> None:
    tokens = [way(issued) for way in WAYS.values()]
    async with running_frontend(tls.server, tokens=issued.file()) as farm:
        errors = [await refused(farm.address, tls.client, token) for token in tokens]
        assert {(error.code, error.message) for error in errors} == {
            (ErrorCode.UNAUTHENTICATED, errors[0].message)
        }
        assert farm.dataplane.calls == []
        assert farm.errors == [ErrorCode.UNAUTHENTICATED] * 2
    for error, token in zip(errors, tokens, strict=True):
        assert token not in error.message


async def test_a_token_that_has_ended_or_was_taken_back_is_told_so(
    issued: Issued, tls: Tls
) -> None:
    ended = issued.issue("old", days=1, ago=timedelta(days=2))
    taken = issued.issue("lost")
    issued.revoke("lost")
    async with running_frontend(tls.server, tokens=issued.file()) as farm:
        for token, said in ((ended, "'old' was good until"), (taken, "'lost' was revoked on")):
            error = await refused(farm.address, tls.client, token)
            assert error.code is ErrorCode.UNAUTHENTICATED
            assert said in error.message
        assert farm.dataplane.calls == []


async def test_a_bad_token_is_refused_on_the_gateways_own_machine_too(tmp_path: Path) -> None:
    issued = Issued(tmp_path)
    token = issued.issue("ci")
    async with running_frontend(tokens=issued.file()) as farm:
        error = await refused(farm.address, None, wrong(token))
        assert error.code is ErrorCode.UNAUTHENTICATED
    async with running_frontend() as farm:
        error = await refused(farm.address, None, token)
        assert error.code is ErrorCode.UNAUTHENTICATED
        assert "takes no tokens" in error.message


@pytest.mark.usefixtures("elsewhere")
async def test_from_elsewhere_a_token_counts_over_tls_alone(issued: Issued, tls: Tls) -> None:
    token = issued.issue("ci", Role.ADMIN)
    async with running_frontend(tls.server, tokens=issued.file()) as farm:
        if tls.client is not None:
            assert await infer(farm.address, tls.client, token) == [[1, 2]]
            return
        error = await refused(farm.address, None, token)
        assert error.code is ErrorCode.UNAUTHENTICATED
        assert "over TLS only" in error.message


@pytest.mark.parametrize("address", ["198.18.0.10:8001", "pi-head:8001", "dns:///127.0.0.1:1"])
def test_a_client_sends_no_token_for_others_to_read(issued: Issued, address: str) -> None:
    token = issued.issue("ci")
    for kind in (FarmClient, AsyncFarmClient, AdminClient):
        with pytest.raises(ConfigurationError, match="on the way to read: it needs TLS") as caught:
            kind(address, token=token)
        assert token not in caught.value.message


@pytest.mark.parametrize("text", ["", "secret", "farm_1_2", "Bearer x", "farm_\n"])
def test_a_client_takes_nothing_else_for_a_token(text: str) -> None:
    with pytest.raises(ConfigurationError, match="none") as caught:
        FarmClient("127.0.0.1:1", token=text)
    assert text not in caught.value.message or not text.strip()


async def test_a_call_of_acts_by_a_stranger_is_told_of_without_the_token(
    issued: Issued, tls: Tls
) -> None:
    token = wrong(issued.issue("ci", Role.ADMIN))
    async with running_frontend(tls.server, tokens=issued.file()) as farm:
        with (
            AdminClient(farm.address, tls=tls.client, token=token) as admin,
            pytest.raises(UnauthenticatedError),
        ):
            await asyncio.to_thread(admin.cordon, "pi-1")
        (act,) = farm.acts
        assert (act.code, act.actor) == (ErrorCode.UNAUTHENTICATED, "127.0.0.1")
        assert token not in repr(act)
        assert farm.cordons.drawn == []


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("Bearer farm_1", "farm_1"), ("bearer  farm_1 ", "farm_1"), ("BEARER farm_1", "farm_1"),
        ("Bearer eyJhbGciOi", None), ("Basic farm_1", None), ("farm_1", None), ("", None),
    ],
)  # fmt: skip
def test_only_what_looks_like_a_token_of_the_farms_is_one(value: str, found: str | None) -> None:
    assert token_in(value) == found


async def test_credentials_of_others_are_not_looked_at(issued: Issued) -> None:
    async with running_frontend(tokens=issued.file()) as farm:
        shown = (("authorization", "Bearer eyJhbGciOi"),)
        assert (await farm.call("Version", metadata=shown)).farm_name == "test farm"


# -- changes while it serves ----------------------------------------------------------------


async def test_the_file_is_followed_while_the_gateway_serves(issued: Issued, tls: Tls) -> None:
    first = issued.issue("first")
    async with running_frontend(tls.server, tokens=issued.file()) as farm:
        assert await infer(farm.address, tls.client, first) == [[1, 2]]
        second = issued.issue("second")
        issued.revoke("first")
        assert await infer(farm.address, tls.client, second) == [[1, 2]]
        assert "revoked" in (await refused(farm.address, tls.client, first)).message


async def test_a_token_counts_as_soon_as_it_is_issued(
    issued: Issued, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LOOK_S", 3_600.0)
    async with running_frontend(tokens=issued.file()) as farm:
        assert await infer(farm.address, None, issued.issue("ci")) == [[1, 2]]


async def test_an_open_connection_ends_with_its_token(issued: Issued, tls: Tls) -> None:
    token = issued.issue("ci")
    async with (
        running_frontend(tls.server, tokens=issued.file()) as farm,
        AsyncFarmClient(farm.address, tls=tls.client, token=token, retries=0) as client,
    ):
        await client.infer("echo", INPUTS, timeout_s=30)
        issued.revoke("ci")
        with pytest.raises(UnauthenticatedError):
            await client.infer("echo", INPUTS, timeout_s=30)


async def test_a_file_that_is_gone_lets_nobody_in(issued: Issued) -> None:
    token = issued.issue("ci")
    async with running_frontend(tokens=issued.file()) as farm:
        issued.path.unlink()
        with capture_logs() as logged:
            for _ in range(3):
                error = await refused(farm.address, None, token)
                assert error.code is ErrorCode.UNAUTHENTICATED
        assert [line["event"] for line in logged].count("tokens_gone") == 1
        issued.keep()
        assert await infer(farm.address, None, token) == [[1, 2]]


@pytest.mark.parametrize("damage", ["cut", "open to others"])
async def test_a_damaged_file_changes_nothing(issued: Issued, damage: str) -> None:
    token = issued.issue("ci")
    async with running_frontend(tokens=issued.file()) as farm:
        if damage == "cut":
            issued.path.write_bytes(issued.path.read_bytes()[:-40])
        else:
            issued.path.chmod(0o644)
        with capture_logs() as logged:
            for _ in range(3):
                assert await infer(farm.address, None, token) == [[1, 2]]
        assert [line["event"] for line in logged].count("tokens_not_reloaded") == 1
        issued.revoke("ci")
        assert (await refused(farm.address, None, token)).code is ErrorCode.UNAUTHENTICATED


def test_a_gateway_does_not_start_with_a_file_that_is_not_right(issued: Issued) -> None:
    issued.path.chmod(0o640)
    with pytest.raises(ConfigurationError, match="others on this machine can read it"):
        issued.file()
    issued.path.unlink()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        issued.file()


def test_another_programs_client_is_told_why(issued: Issued) -> None:
    async def run() -> None:
        async with running_frontend(tokens=issued.file()) as farm:

            def ask() -> None:
                with InferenceServerClient(farm.address) as client:
                    shown = {"authorization": f"Bearer {WAYS['unknown'](issued)}"}
                    with pytest.raises(InferenceServerException, match="UNAUTHENTICATED") as said:
                        client.get_model_metadata("echo", headers=shown)
                    assert "none of the farm's" in str(said.value)

            await asyncio.to_thread(ask)

    asyncio.run(run())
