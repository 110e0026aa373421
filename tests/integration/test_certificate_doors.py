"""Every door of a farm with mutual TLS, tried by those who should not come in: real gRPC and TLS.

They are turned away at the handshake or in words, and the farm is as it was before.
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from farm_process import wait_until
from guarded_farm import GuardedFarm
from local_answers import Digits

from farm.client import AdminClient, ClientTls, FarmClient
from farm.client.codec import to_request
from farm.core.errors import (
    ErrorCode,
    FarmError,
    InvalidRequestError,
    PermissionDeniedError,
    UnauthenticatedError,
    UnreachableError,
)
from farm.core.events import EventKind
from farm.core.identities import IdentityKind
from farm.core.revocations import RevocationReason
from farm.core.roles import ROLE_OF, Role
from farm.frontend.permissions import role_for, role_for_request
from farm.pb import farm_admin_pb2 as pb
from farm.pb import open_inference_pb2 as oip
from farm.pb.services import ADMIN_SERVICE, INFERENCE_SERVICE, Method, methods
from farm.pki import Authority, inspect, revoke

pytestmark = [pytest.mark.integration, pytest.mark.doors, pytest.mark.timeout(600)]

Status = grpc.StatusCode
NOW = datetime.now(UTC)
YEAR = timedelta(days=365)
WAIT_S = 60.0
METHODS = {m.name: m for service in (INFERENCE_SERVICE, ADMIN_SERVICE) for m in methods(service)}


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedFarm]:
    made = GuardedFarm(tmp_path_factory.mktemp("guarded"), Authority.create("shelf", now=NOW))
    with made.process:
        made.connect()
        yield made


@pytest.fixture
def admin(farm: GuardedFarm) -> Iterator[AdminClient]:
    with AdminClient(farm.address, tls=farm.admin) as opened:
        yield opened


@pytest.fixture
def untouched(admin: AdminClient) -> Iterator[None]:
    """See that the farm is the same after a test as it was before."""
    before = state(admin)
    yield
    assert state(admin) == before


def state(admin: AdminClient) -> Any:
    """What strangers would like to change: nodes, models, what is logged."""
    snapshot = admin.snapshot()
    return (
        [(node.node_id, node.cordoned, node.incarnation) for node in snapshot.nodes],
        [(model.name, model.version, model.state, model.digest) for model in snapshot.models],
        admin.log_settings({}),
    )


def happened(admin: AdminClient) -> list[str]:
    """What was done to the farm so far, as its events tell it."""
    # What is remembered comes first, all of it at once.
    with closing(admin.events(timeout_s=WAIT_S)) as told:
        events, _ = next(told)
    return [event.detail for event in events if event.kind == EventKind.OPERATOR_ACTED]


def question(digits: Digits) -> dict[str, np.ndarray]:
    return {"image": digits.images[:1]}


def call(channel: grpc.Channel, method: Method, request: Any) -> Any:
    """Call any method once; of a stream of answers return the first."""
    kind = f"{'stream' if method.client_streaming else 'unary'}"
    kind += f"_{'stream' if method.server_streaming else 'unary'}"
    made = getattr(channel, kind)(
        method.path,
        request_serializer=method.request_type.SerializeToString,
        response_deserializer=method.response_type.FromString,
    )
    answer = made(iter([request]) if method.client_streaming else request, timeout=WAIT_S)
    if not method.server_streaming:
        return answer
    try:
        return next(answer)
    finally:
        answer.cancel()


def refused(channel: grpc.Channel, method: Method, request: Any) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        call(channel, method, request)
    return caught.value


# -- at the handshake -------------------------------------------------------------------------

STRANGERS: dict[str, Callable[[GuardedFarm], ClientTls | None]] = {
    "without TLS": lambda _: None,
    "no certificate": lambda farm: ClientTls(ca=farm.admin.ca),
    "foreign CA": lambda farm: farm.issue(
        IdentityKind.ADMIN, "ann", authority=Authority.create("attic", now=NOW)
    ),
    "CA of the same name": lambda farm: farm.issue(
        IdentityKind.ADMIN, "ann", authority=Authority.create("shelf", now=NOW)
    ),
    "expired": lambda farm: farm.issue(IdentityKind.ADMIN, "ann", now=NOW - 2 * YEAR),
    "not yet valid": lambda farm: farm.issue(IdentityKind.ADMIN, "ann", now=NOW + YEAR),
}


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("stranger", STRANGERS)
def test_who_has_no_good_certificate_gets_no_answer_at_all(
    stranger: str, farm: GuardedFarm, digits: Digits
) -> None:
    tls = STRANGERS[stranger](farm)
    with FarmClient(farm.address, tls=tls, retries=0) as client:
        asked: list[Callable[[], object]] = [
            client.live, lambda: client.infer("digits", question(digits))
        ]  # fmt: skip
        for ask in asked:
            with pytest.raises(UnreachableError):
                ask()
    with AdminClient(farm.address, tls=tls) as client, pytest.raises(UnreachableError):
        client.cordon("local-1")


# -- by role ----------------------------------------------------------------------------------


def own_config() -> oip.RepositoryModelLoadRequest:
    request = oip.RepositoryModelLoadRequest(model_name="digits")
    request.parameters["config"].string_param = "{}"
    return request


def own_file() -> oip.RepositoryModelLoadRequest:
    request = own_config()
    request.parameters["file:1/model.onnx"].bytes_param = b"a stranger's"
    return request


def quieter() -> oip.LogSettingsRequest:
    request = oip.LogSettingsRequest()
    request.settings["log_info"].bool_param = False
    return request


# One request for every method but those of inference, and of what a request may ask beside.
REQUESTS = [
    (METHODS["NodeAction"], pb.NodeActionRequest(node_id="local-1", action="cordon")),
    (METHODS["NodeAction"], pb.NodeActionRequest(node_id="local-1", action="restart")),
    (METHODS["Calibrate"], pb.CalibrateRequest(host="local-1")),
    (METHODS["MeasureModel"], pb.MeasureModelRequest(name="digits")),
    (METHODS["DescribeModel"], pb.DescribeModelRequest(name="digits")),
    (METHODS["DescribeNode"], pb.DescribeNodeRequest(node_id="local-1")),
    (METHODS["RepositoryModelLoad"], oip.RepositoryModelLoadRequest(model_name="digits")),
    (METHODS["RepositoryModelLoad"], own_config()),
    (METHODS["RepositoryModelLoad"], own_file()),
    (METHODS["RepositoryModelUnload"], oip.RepositoryModelUnloadRequest(model_name="digits")),
    (METHODS["LogSettings"], oip.LogSettingsRequest()),
    (METHODS["LogSettings"], quieter()),
    *(
        (METHODS[name], METHODS[name].request_type())
        for name in (
            "Version", "WatchSnapshots", "WatchEvents", "History", "TailLog", "Ledger",
            "LedgerRecords", "Terms", "Revoke",
        )
    ),
]  # fmt: skip


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("kind", IdentityKind)
def test_a_role_opens_the_doors_of_its_own_and_no_other(
    kind: IdentityKind, farm: GuardedFarm
) -> None:
    has = ROLE_OF[kind]
    tried = 0
    with farm.channel(farm.issue(kind, "eve")) as channel:
        for method, request in REQUESTS:
            needed = role_for_request(method.path, request)
            assert needed is not None
            if has >= needed:
                continue
            error = refused(channel, method, request)
            assert error.code() is Status.PERMISSION_DENIED, method.name
            # Whoever may not call a method at all is not told what a request of it takes.
            missing = needed if (lowest := role_for(method.path)) and has >= lowest else lowest
            assert f"needs the role '{missing}', and you have '{has}'" in error.details()
            assert f"farm certs issue NAME --role {missing}" in error.details()
            tried += 1
        assert call(channel, METHODS["ServerLive"], oip.ServerLiveRequest()).live
        if has >= Role.OPERATE:
            assert call(channel, METHODS["Version"], pb.VersionRequest()).farm_name == "shelf"
    assert tried == {Role.INFER: len(REQUESTS), Role.OPERATE: 4, Role.ADMIN: 0}[has]


@pytest.mark.parametrize("kind", IdentityKind)
def test_everybody_who_is_let_in_may_ask_models(
    kind: IdentityKind, farm: GuardedFarm, digits: Digits
) -> None:
    with FarmClient(farm.address, tls=farm.issue(kind, "bob")) as client:
        answer = client.infer("digits", question(digits), timeout_s=WAIT_S)
        assert answer["label"].tolist() == digits.labels[:1].tolist()
        assert client.metadata("digits").name == "digits"


def test_whose_act_it_was_is_told(farm: GuardedFarm, admin: AdminClient) -> None:
    with AdminClient(farm.address, tls=farm.issue(IdentityKind.OPERATOR, "olga")) as olga:
        olga.cordon("local-1")
        olga.uncordon("local-1")
    told = happened(admin)
    assert "cordon, by operator olga at 127.0.0.1" in told
    wait_until(
        lambda: admin.snapshot().nodes[0].state == "ready", timeout_s=WAIT_S, what="it serves again"
    )


# -- replayed ---------------------------------------------------------------------------------


class Eavesdropper:
    """Passes one connection on, byte by byte, and keeps what the client sent."""

    def __init__(self, to: str) -> None:
        host, _, port = to.rpartition(":")
        self._to = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.heard = b""
        self._open = ExitStack()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> "Eavesdropper":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        # The thread waits in accept, or in a copy that ends with its connection.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._open.close()
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()

    def _serve(self) -> None:
        with suppress(OSError):
            client, _ = self._listener.accept()
            gateway = socket.create_connection(self._to, timeout=WAIT_S)
            for each in (client, gateway):
                each.settimeout(WAIT_S)
                self._open.callback(_ended, each)
            back = threading.Thread(target=_copy, args=(gateway, client))
            back.start()
            with suppress(OSError):
                while chunk := client.recv(65536):
                    self.heard += chunk
                    gateway.sendall(chunk)
            _ended(gateway)
            back.join(WAIT_S)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(chunk)
    _ended(target)


def _ended(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


def test_a_replayed_call_of_an_admin_does_nothing(farm: GuardedFarm, admin: AdminClient) -> None:
    with Eavesdropper(farm.address) as relay:
        with AdminClient(relay.address, tls=farm.admin) as ann:
            assert ann.cordon("local-1").cordoned
        heard = relay.heard
    assert len(heard) > 1000
    admin.uncordon("local-1")
    before = state(admin)
    acts = len(happened(admin))
    # The same bytes as they went over the wire.
    host, _, port = farm.address.rpartition(":")
    with (
        suppress(OSError),
        socket.create_connection((host, int(port)), timeout=WAIT_S) as again,
    ):
        again.sendall(heard)
        while again.recv(65536):
            pass
    # The same request in a connection of somebody else's, and in one of nobody's.
    request = pb.NodeActionRequest(node_id="local-1", action="cordon")
    with farm.channel(farm.issue(IdentityKind.CLIENT, "eve")) as channel:
        error = refused(channel, METHODS["NodeAction"], request)
        assert error.code() is Status.PERMISSION_DENIED
    with farm.channel(ClientTls(ca=farm.admin.ca)) as channel:
        assert refused(channel, METHODS["NodeAction"], request).code() is Status.UNAVAILABLE
    assert state(admin) == before
    told = happened(admin)[acts:]
    assert not [detail for detail in told if "by admin ann" in detail]


# -- rotated and ended ------------------------------------------------------------------------


def test_a_rotated_certificate_is_shown_to_new_connections_and_open_ones_go_on(
    farm: GuardedFarm, digits: Digits
) -> None:
    def shown() -> int:
        host, _, port = farm.address.rpartition(":")
        context = ssl.create_default_context(cafile=str(farm.admin.ca))
        assert farm.admin.certificate is not None
        context.load_cert_chain(farm.admin.certificate, farm.admin.key)
        context.set_alpn_protocols(["h2"])
        with (
            socket.create_connection((host, int(port)), timeout=WAIT_S) as raw,
            context.wrap_socket(raw, server_hostname=host) as secure,
        ):
            der = secure.getpeercert(binary_form=True)
            assert der is not None
            return inspect(ssl.DER_cert_to_PEM_cert(der).encode()).serial

    with FarmClient(farm.address, tls=farm.admin) as client:
        assert client.live()
        before = shown()
        farm.renew_gateway()
        after = inspect(farm.certificate.read_bytes()).serial
        assert shown() == after != before
        assert client.infer("digits", question(digits), timeout_s=WAIT_S)


def test_a_certificate_that_ends_while_its_connection_is_open_is_refused(
    farm: GuardedFarm,
) -> None:
    ending = farm.issue(IdentityKind.OPERATOR, "olga", now=ending_soon(), days=1)
    with farm.channel(ending) as channel:
        assert call(channel, METHODS["Version"], pb.VersionRequest()).farm_name == "shelf"
        errors: list[grpc.RpcError] = []

        def ended() -> bool:
            try:
                call(channel, METHODS["Version"], pb.VersionRequest())
            except grpc.RpcError as error:
                errors.append(error)
            return bool(errors)

        wait_until(ended, timeout_s=2 * WAIT_S, what="the certificate ended")
    (error,) = errors
    assert error.code() is Status.UNAUTHENTICATED
    assert "the certificate of operator olga at 127.0.0.1 ended at" in error.details()


def ending_soon() -> datetime:
    """When a certificate of one day was issued that ends in some seconds."""
    return datetime.now(UTC) - timedelta(days=1) + timedelta(seconds=30)


# -- revoked ----------------------------------------------------------------------------------


@contextmanager
def watching(channel: grpc.Channel) -> Iterator[Any]:
    """An open stream of snapshots that has brought one."""
    method = METHODS["WatchSnapshots"]
    stream = channel.unary_stream(
        method.path,
        request_serializer=method.request_type.SerializeToString,
        response_deserializer=method.response_type.FromString,
    )(pb.WatchSnapshotsRequest(interval_ns=100_000_000), timeout=2 * WAIT_S)
    try:
        assert next(stream).farm_name == "shelf"
        yield stream
    finally:
        stream.cancel()


class Asking:
    """An open stream of inference, which asks when it is told to."""

    def __init__(self, channel: grpc.Channel, request: Any) -> None:
        self._request = request
        self._more = threading.Semaphore(0)
        self._left = False
        method = METHODS["ModelStreamInfer"]
        self._stream = channel.stream_stream(
            method.path,
            request_serializer=method.request_type.SerializeToString,
            response_deserializer=method.response_type.FromString,
        )(self._requests(), timeout=2 * WAIT_S)

    def ask(self) -> Any:
        self._more.release()
        return next(self._stream)

    def leave(self) -> None:
        self._left = True
        self._more.release()
        self._stream.cancel()

    def _requests(self) -> Iterator[Any]:
        while self._more.acquire() and not self._left:
            yield self._request


def test_who_is_revoked_is_out_at_once_with_all_that_is_open(
    farm: GuardedFarm, admin: AdminClient, digits: Digits
) -> None:
    olga = farm.issue(IdentityKind.OPERATOR, "mallory")
    other = farm.issue(IdentityKind.OPERATOR, "trent")
    request = to_request("digits", question(digits))
    with ExitStack() as opened:
        channel, theirs = (opened.enter_context(farm.channel(tls)) for tls in (olga, other))
        stream = opened.enter_context(watching(channel))
        goes_on = opened.enter_context(watching(theirs))
        asking = Asking(channel, request)
        opened.callback(asking.leave)
        assert not asking.ask().error_message
        assert call(channel, METHODS["ModelInfer"], request).model_name == "digits"

        done = farm.farm("certs", "revoke", "mallory", "--reason", "key-compromise", "-o", "json")
        assert done.returncode == 0, done.stderr
        assert '"gateway_told": true' in done.stdout
        told_unix_ns = time.time_ns()

        said = "the certificate of operator mallory at 127.0.0.1 was revoked on"
        for name, asked in (("ModelInfer", request), ("Version", pb.VersionRequest())):
            error = refused(channel, METHODS[name], asked)
            assert error.code() is Status.UNAUTHENTICATED, name
            assert said in error.details()
            assert "key-compromise" in error.details()
        for what in (lambda: list(stream), asking.ask):
            with pytest.raises(grpc.RpcError) as caught:
                what()
            assert caught.value.code() is Status.UNAUTHENTICATED
            assert said in caught.value.details()
        with pytest.raises(UnauthenticatedError), FarmClient(farm.address, tls=olga) as again:
            again.live()
        # Not one that was sent before.
        assert any(snapshot.taken_unix_ns > told_unix_ns for snapshot in goes_on)
    assert "revoked" in farm.farm("certs", "ls").stdout
    told = happened(admin)
    assert "revoke certificates, by admin ann at 127.0.0.1" in told


def test_nobody_but_an_admin_revokes_and_not_with_any_list(
    farm: GuardedFarm, admin: AdminClient, digits: Digits, tmp_path: Path
) -> None:
    farm.issue(IdentityKind.CLIENT, "dave")
    assert farm.farm("certs", "revoke", "dave").returncode == 0
    in_force = (farm.own.authority / "crl.pem").read_bytes()
    revoked = admin.revoke(in_force)
    stranger = Authority.create("shelf", now=NOW)
    foreign = newer_list_of(stranger, tmp_path)
    for offered, says in (
        (foreign, "not signed by this farm's CA"),
        (in_force[:-40], "damaged, or none"),
        (b"", "damaged, or none"),
        (newer_list_of(farm.authority, tmp_path / "backup"), "are not on it"),
    ):
        with pytest.raises(InvalidRequestError, match=f"{says}.*the one in force stays"):
            admin.revoke(offered)
        # As a file it is no better.
        farm.published.write_bytes(offered)
        await_log(farm, admin, "revocations_not_taken")
        assert admin.revoke(in_force) == revoked
    farm.published.unlink()
    for kind in (IdentityKind.OPERATOR, IdentityKind.CLIENT, IdentityKind.NODE):
        with (
            AdminClient(farm.address, tls=farm.issue(kind, "eve")) as eve,
            pytest.raises(PermissionDeniedError, match="needs the role 'admin'"),
        ):
            eve.revoke(in_force)


def await_log(farm: GuardedFarm, admin: AdminClient, event: str) -> None:
    """Wait for one more line of the gateway's log; it looks at its files when it is called."""
    before = farm.process.log().count(event)

    def is_told() -> bool:
        admin.version()
        return farm.process.log().count(event) > before

    wait_until(is_told, timeout_s=WAIT_S, what=event)


def newer_list_of(authority: Authority, folder: Path) -> bytes:
    """A list of a CA that knows nothing of what was revoked here, and is newer."""
    authority.save(folder)
    revoke(
        authority,
        folder,
        [1],
        reason=RevocationReason.UNSPECIFIED,
        now=datetime.now(UTC) + timedelta(days=1),
    )
    return (folder / "crl.pem").read_bytes()


def test_a_restart_lets_nobody_in_again(tmp_path: Path) -> None:
    farm = GuardedFarm(tmp_path, Authority.create("shelf", now=NOW))
    bob, carol = (farm.issue(IdentityKind.CLIENT, name) for name in ("bob", "carol"))

    def code(tls: ClientTls) -> ErrorCode | None:
        try:
            with FarmClient(farm.address, tls=tls, retries=0) as client:
                return None if client.live(timeout_s=WAIT_S) else ErrorCode.INTERNAL
        except FarmError as error:
            return error.code

    with farm.process:
        farm.connect()
        assert [code(bob), code(carol)] == [None, None]
        assert farm.farm("certs", "revoke", "bob").returncode == 0
        assert [code(bob), code(carol)] == [ErrorCode.UNAUTHENTICATED, None]
    away = farm.farm("certs", "revoke", "carol")
    assert away.returncode == 3
    assert "the gateway lets them in still" in away.stderr
    with farm.process:
        assert [code(bob), code(carol)] == [ErrorCode.UNAUTHENTICATED, None]
        # As bootstrap brings it.
        farm.published.write_bytes((farm.own.authority / "crl.pem").read_bytes())
        wait_until(
            lambda: code(carol) is ErrorCode.UNAUTHENTICATED, timeout_s=WAIT_S, what="it is read"
        )
