"""TLS between real clients and a real frontend: who is let in, and what the others are told."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_dataplane import FakeDataPlane, make_frontend, running_frontend
from free_ports import free_address
from tritonclient.grpc import InferenceServerClient, InferInput

from farm.client import AdminClient, AsyncFarmClient, ClientTls, FarmClient
from farm.client.codec import to_request
from farm.client.load.generator import LoadPlan, run_load
from farm.core.errors import (
    ConfigurationError,
    FarmError,
    IntegrityError,
    PermissionDeniedError,
    UnreachableError,
)
from farm.core.identities import Identity, IdentityKind
from farm.frontend.server import Listening
from farm.frontend.tls import TlsSettings
from farm.pki import Authority

NOW = datetime.now(UTC)
YEAR = timedelta(days=365)
AUTHORITY = Authority.create("shelf", now=NOW)
OTHER = Authority.create("shelf", now=NOW)
INPUTS = {"x": np.array([[1, 2]], np.uint8)}


class Files:
    """Certificates on disk, as bootstrap leaves them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.ca = self._write("ca.pem", AUTHORITY.certificate_pem)
        self.other_ca = self._write("other-ca.pem", OTHER.certificate_pem)

    def issue(
        self,
        kind: IdentityKind,
        name: str,
        *,
        authority: Authority = AUTHORITY,
        now: datetime = NOW,
        addresses: Sequence[str] = ("127.0.0.1",),
    ) -> tuple[Path, Path]:
        issued = authority.issue(
            Identity("shelf", kind, name), now=now, addresses=addresses, names=["gateway"]
        )
        return (
            self._write(f"{kind}-{name}.pem", issued.certificate_pem),
            self._write(f"{kind}-{name}-key.pem", issued.key_pem),
        )

    def server(self, *, ca: bool = True, **issued: Any) -> TlsSettings:
        certificate, key = self.issue(IdentityKind.NODE, "pi-head", **issued)
        return TlsSettings(certificate=certificate, key=key, clients_ca=self.ca if ca else None)

    def client(
        self, kind: IdentityKind = IdentityKind.CLIENT, name: str = "bob", **issued: Any
    ) -> ClientTls:
        certificate, key = self.issue(kind, name, **issued)
        return ClientTls(ca=self.ca, certificate=certificate, key=key)

    def _write(self, name: str, content: bytes) -> Path:
        path = self._folder / name
        path.write_bytes(content)
        return path


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


async def infer(address: str, tls: ClientTls | None) -> Any:
    async with AsyncFarmClient(address, tls=tls, retries=0) as client:
        return (await client.infer("echo", INPUTS, timeout_s=10))["y"].tolist()


# -- who is let in --------------------------------------------------------------------------


async def test_every_client_speaks_mutual_tls(files: Files) -> None:
    tls = files.client()

    def blocking(address: str) -> Any:
        with FarmClient(address, tls=tls) as client:
            answers = client.stream("echo", [INPUTS])
            return [client.infer("echo", INPUTS)["y"].tolist()] + [
                answer.unwrap()["y"].tolist() for answer in answers
            ]

    def triton(address: str) -> Any:
        asked = InferInput("x", [1, 2], "UINT8")
        asked.set_data_from_numpy(INPUTS["x"])
        with InferenceServerClient(
            address,
            ssl=True,
            root_certificates=str(tls.ca),
            certificate_chain=str(tls.certificate),
            private_key=str(tls.key),
        ) as client:
            return client.infer("echo", [asked]).as_numpy("y").tolist()

    async with running_frontend(files.server()) as farm:
        assert await infer(farm.address, tls) == [[1, 2]]
        assert await asyncio.to_thread(blocking, farm.address) == [[[1, 2]], [[1, 2]]]
        assert await asyncio.to_thread(triton, farm.address) == [[1, 2]]
        assert {call.client for call in farm.dataplane.calls} == {"id:farm://shelf/client/bob"}


async def test_the_load_generator_too(files: Files) -> None:
    async with running_frontend(files.server()) as farm:
        for stream in (False, True):
            plan = LoadPlan(
                request=to_request("echo", INPUTS),
                rows=1,
                duration_s=0.1,
                warmup_s=0,
                stream=stream,
            )
            result = await run_load(farm.address, plan, tls=files.client())
            assert result.latency.count and not result.failed


async def test_clients_need_no_certificate_where_none_is_asked_for(files: Files) -> None:
    async with running_frontend(files.server(ca=False)) as farm:
        assert await infer(farm.address, ClientTls(ca=files.ca)) == [[1, 2]]
        assert farm.dataplane.calls[0].client.startswith("ipv4:127.0.0.1:")


@pytest.mark.parametrize("kind", IdentityKind)
async def test_only_operators_change_the_farm_from_elsewhere(
    kind: IdentityKind, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("farm.frontend.guard.is_loopback", lambda _: False)
    async with running_frontend(files.server()) as farm:
        with AdminClient(farm.address, tls=files.client(kind, "ann")) as admin:
            asked = asyncio.to_thread(admin.version)
            if kind is IdentityKind.OPERATOR:
                assert (await asked).farm_name == "test farm"
            else:
                with pytest.raises(PermissionDeniedError, match="is for operators"):
                    await asked


async def test_what_operators_do_is_told_with_their_certificate(files: Files) -> None:
    async with running_frontend(files.server()) as farm:
        for kind in (IdentityKind.OPERATOR, IdentityKind.CLIENT):
            with AdminClient(farm.address, tls=files.client(kind, "ann")) as admin:
                await asyncio.to_thread(admin.cordon, "pi-1")
        # Whoever is on the gateway's own machine may do as operators do.
        assert [act.actor for act in farm.acts] == [
            "operator ann at 127.0.0.1",
            "client ann at 127.0.0.1",
        ]


@pytest.mark.parametrize("encrypted", [True, False])
async def test_operators_have_an_address_where_clients_show_nothing(
    encrypted: bool, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("farm.frontend.guard.is_loopback", lambda _: False)
    tls = files.server(ca=False) if encrypted else None
    address = free_address()
    operators = Listening(address=address, tls=files.server())
    async with running_frontend(tls, operators=operators) as farm:
        trusted = ClientTls(ca=files.ca) if encrypted else None
        assert await infer(farm.address, trusted) == [[1, 2]]
        with (
            AdminClient(farm.address, tls=trusted) as nobody,
            pytest.raises(PermissionDeniedError),
        ):
            await asyncio.to_thread(nobody.version)
        with AdminClient(address, tls=files.client(IdentityKind.OPERATOR, "ann")) as admin:
            assert (await asyncio.to_thread(admin.version)).farm_name == "test farm"
        assert isinstance(await refused(address, ClientTls(ca=files.ca)), UnreachableError)


# -- who is not -----------------------------------------------------------------------------


async def refused(address: str, tls: ClientTls | None) -> FarmError:
    with pytest.raises(FarmError) as caught:
        await infer(address, tls)
    return caught.value


@pytest.mark.parametrize(
    ("issued", "says"),
    [
        ({"now": NOW - 2 * YEAR}, "has expired"),
        ({"now": NOW + YEAR}, "clock"),
        ({"authority": OTHER}, "no certificate of the CA that you trust"),
        ({"addresses": ["127.0.0.2"]}, "is for other names"),
    ],
)
async def test_a_gateway_that_cannot_prove_itself_is_not_trusted(
    issued: dict[str, Any], says: str, files: Files
) -> None:
    async with running_frontend(files.server(**issued)) as farm:
        error = await refused(farm.address, files.client())
        assert isinstance(error, IntegrityError)
        assert says in error.message
        assert farm.address in error.message


@pytest.mark.parametrize(
    "client",
    [
        lambda files: ClientTls(ca=files.ca),
        lambda files: files.client(authority=OTHER),
        lambda files: files.client(now=NOW - 2 * YEAR),
        lambda _: None,
    ],
    ids=["no certificate", "another CA's", "expired", "no TLS"],
)
async def test_a_client_without_a_good_certificate_is_told_what_to_look_at(
    client: Callable[[Files], ClientTls | None], files: Files
) -> None:
    async with running_frontend(files.server()) as farm:
        error = await refused(farm.address, client(files))
        assert isinstance(error, UnreachableError)
        assert "certificate" in error.message and "TLS" in error.message
        assert farm.dataplane.calls == []


async def test_tls_where_there_is_none_is_a_wrong_setting(files: Files) -> None:
    async with running_frontend() as farm:
        error = await refused(farm.address, files.client())
        assert isinstance(error, ConfigurationError)
        assert "does not encrypt" in error.message


async def test_a_name_of_the_certificate_stands_for_the_address(files: Files) -> None:
    async with running_frontend(files.server(addresses=["198.18.0.10"])) as farm:
        tls = ClientTls(**{**_fields(files.client()), "server_name": "gateway"})
        assert await infer(farm.address, tls) == [[1, 2]]


def _fields(tls: ClientTls) -> dict[str, Any]:
    return {"ca": tls.ca, "certificate": tls.certificate, "key": tls.key}


# -- files ----------------------------------------------------------------------------------


async def test_a_renewed_certificate_needs_no_restart(files: Files) -> None:
    settings = files.server(addresses=["127.0.0.2"])
    async with running_frontend(settings) as farm:
        assert "other names" in (await refused(farm.address, files.client())).message
        old_key = settings.key.read_bytes()
        files.server()
        new_key = settings.key.read_bytes()
        settings.key.write_bytes(old_key)
        # A key that does not fit, no file at all: what was in use stays in use.
        assert "other names" in (await refused(farm.address, files.client())).message
        settings.key.unlink()
        assert "other names" in (await refused(farm.address, files.client())).message
        settings.key.write_bytes(new_key)
        assert await infer(farm.address, files.client()) == [[1, 2]]


_DAMAGE = {"gone": None, "empty": b"", "garbage": b"garbage", "foreign": OTHER.certificate_pem}
DAMAGES = [
    pytest.param(file, damage, id=f"{file}-{what}")
    for file in ("ca", "certificate", "key")
    for what, damage in _DAMAGE.items()
    # Any CA may be trusted.
    if (file, what) != ("ca", "foreign")
]


def damaged(settings: ClientTls | TlsSettings, file: str, damage: bytes | None) -> str:
    """Spoil one of the files; return its name."""
    path: Path = getattr(settings, file)
    path.unlink()
    if damage is not None:
        path.write_bytes(damage)
    return path.name


@pytest.mark.parametrize(("file", "damage"), DAMAGES)
async def test_a_frontend_is_not_made_with_files_that_do_not_fit(
    file: str, damage: bytes | None, files: Files
) -> None:
    settings = files.server()
    name = damaged(settings, {"ca": "clients_ca"}.get(file, file), damage)
    with pytest.raises(ConfigurationError, match=f"tls: .*{name}"):
        make_frontend(FakeDataPlane(), tls=settings)


@pytest.mark.parametrize(("file", "damage"), DAMAGES)
def test_a_client_does_not_start_with_files_that_do_not_fit(
    file: str, damage: bytes | None, files: Files
) -> None:
    tls = files.client()
    name = damaged(tls, file, damage)
    with pytest.raises(ConfigurationError, match=name):
        FarmClient("127.0.0.1:1", tls=tls)


def test_a_certificate_goes_with_its_key(files: Files) -> None:
    tls = files.client()
    with pytest.raises(ConfigurationError, match="needs its key"):
        FarmClient("127.0.0.1:1", tls=ClientTls(ca=files.ca, certificate=tls.certificate))
