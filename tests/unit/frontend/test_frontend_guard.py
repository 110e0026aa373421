"""Who may call what, told from the peer's address alone."""

from collections.abc import Callable, Iterable, Mapping
from types import SimpleNamespace
from typing import Any, NoReturn, cast

import grpc
import pytest
from fake_dataplane import ErrorNotes, FakeDataPlane, admin_service, inference_service

from farm.core.errors import ErrorCode
from farm.core.observer import Observer
from farm.frontend.guard import Guard, is_control
from farm.frontend.handlers import service_handler
from farm.frontend.peers import is_loopback
from farm.pb.services import ADMIN_SERVICE, INFERENCE_SERVICE, methods


@pytest.mark.parametrize(
    "peer",
    [
        "ipv4:127.0.0.1:50051",
        "ipv4:127.8.9.10:1",
        "ipv6:%5B::1%5D:50051",
        "ipv6:[::1]:50051",
        "ipv6:%5B::ffff:127.0.0.1%5D:50051",
        "unix:",
        "unix:/run/farm.sock",
    ],
)
def test_this_machine_is_loopback(peer: str) -> None:
    assert is_loopback(peer)


@pytest.mark.parametrize(
    "peer",
    [
        "ipv4:192.168.1.7:50051",
        "ipv4:10.0.0.1:127",
        "ipv4:0.0.0.0:1",
        "ipv6:%5Bfe80::1%25eth0%5D:50051",
        "ipv6:%5B2001:db8::1%5D:1",
        "ipv6:%5B::ffff:192.168.1.7%5D:50051",
        "ipv4:127.0.0.1.example.org:1",
        "ipv4:127.0.0.1",
        "ipv4:",
        "127.0.0.1",
        "localhost:1",
        "dns:localhost:1",
        "unknown",
        "",
        "🦊",
    ],
)
def test_everything_else_is_not(peer: str) -> None:
    assert not is_loopback(peer)


def test_what_operators_do_is_control_and_inference_is_not() -> None:
    assert all(is_control(method.path) for method in methods(ADMIN_SERVICE))
    control = {m.name for m in methods(INFERENCE_SERVICE) if is_control(m.path)}
    assert control == {
        "RepositoryModelLoad",
        "RepositoryModelUnload",
        "LogSettings",
    }
    assert not is_control("/grpc.health.v1.Health/Check")


class Aborted(grpc.aio.AbortError):
    """What gRPC raises out of `abort`, with what was told the client."""

    def __init__(self, status: grpc.StatusCode, details: str, trailers: object) -> None:
        super().__init__()
        self.status = status
        self.details = details
        self.trailers = trailers


class Peer:
    """A caller's context: where it calls from, and its certificate's names by their kind."""

    def __init__(self, peer: str, **names: list[bytes]) -> None:
        self._peer = peer
        self._names = names

    def peer(self) -> str:
        return self._peer

    def peer_identities(self) -> list[bytes] | None:
        return [name for names in self._names.values() for name in names] or None

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        return self._names

    def time_remaining(self) -> None:
        return None

    async def abort(self, status: grpc.StatusCode, details: str, trailers: object) -> NoReturn:
        raise Aborted(status, details, trailers)


FOREIGN = "ipv4:192.168.1.7:50051"


async def guarded(path: str, on_error: Callable[[ErrorCode], None] = lambda _: None) -> Any:
    """The handler of a method behind the guard."""
    handlers = [
        service_handler(ADMIN_SERVICE, admin_service()),
        service_handler(
            INFERENCE_SERVICE, inference_service(FakeDataPlane(), cast(Observer, ErrorNotes()))
        ),
    ]
    details = SimpleNamespace(method=path, invocation_metadata=())

    async def continuation(given: Any) -> Any:
        return next(filter(None, (handler.service(given) for handler in handlers)), None)

    guard = Guard(farm="shelf", on_error=on_error, on_act=lambda _: None)
    return await guard.intercept_service(continuation, cast(grpc.HandlerCallDetails, details))


async def test_operators_methods_are_refused_to_foreign_peers() -> None:
    handler = await guarded(f"/{ADMIN_SERVICE}/Version")
    with pytest.raises(Aborted) as caught:
        await handler.unary_unary(b"", Peer(FOREIGN))
    assert caught.value.status is grpc.StatusCode.PERMISSION_DENIED
    assert "operator of 'shelf'" in caught.value.details
    assert ("farm-error-code", "permission_denied") in cast(Any, caught.value.trailers)


@pytest.mark.parametrize("name", ["Version", "WatchSnapshots"])
async def test_a_refused_peer_counts_once(name: str) -> None:
    told: list[ErrorCode] = []
    handler = await guarded(f"/{ADMIN_SERVICE}/{name}", told.append)
    with pytest.raises(Aborted):
        if name == "Version":
            await handler.unary_unary(b"", Peer(FOREIGN))
        else:
            await anext(handler.unary_stream(b"", Peer(FOREIGN)))
    assert told == [ErrorCode.PERMISSION_DENIED]


async def test_streams_are_refused_before_their_first_message() -> None:
    handler = await guarded(f"/{ADMIN_SERVICE}/WatchSnapshots")
    got = []
    with pytest.raises(Aborted) as caught:
        async for message in handler.unary_stream(b"", Peer(FOREIGN)):
            got.append(message)
    assert caught.value.status is grpc.StatusCode.PERMISSION_DENIED
    assert got == []


async def test_a_foreign_peer_is_refused_before_its_bytes_are_looked_at() -> None:
    handler = await guarded(f"/{ADMIN_SERVICE}/Version")
    with pytest.raises(Aborted) as caught:
        await handler.unary_unary(b"\xff\xff", Peer(FOREIGN))
    assert caught.value.status is grpc.StatusCode.PERMISSION_DENIED


OPERATOR = b"farm://shelf/operator/ann"


@pytest.mark.parametrize(
    "peer",
    [
        Peer("ipv4:127.0.0.1:1"),
        Peer("unix:"),
        Peer(FOREIGN, peer_uri=[OPERATOR]),
        Peer(FOREIGN, peer_uri=[b"https://example.org/ann", OPERATOR]),
        # Whoever is on this machine may do as operators do, whatever else they are.
        Peer("ipv4:127.0.0.1:1", peer_uri=[b"farm://shelf/client/bob"]),
    ],
)
async def test_operators_methods_answer_this_machine_and_operators(peer: Peer) -> None:
    handler = await guarded(f"/{ADMIN_SERVICE}/Version")
    assert (await handler.unary_unary(b"", peer)).farm_name == "test farm"


@pytest.mark.parametrize(
    "names",
    [
        {"peer_uri": [b"farm://shelf/client/ann"]},
        {"peer_uri": [b"farm://shelf/node/pi-1"]},
        {"peer_uri": [b"farm://cellar/operator/ann"]},
        {"peer_uri": [b"farm://shelf/operator/"]},
        {"peer_uri": [OPERATOR + b"/node/pi-1"]},
        {"peer_uri": [b"https://shelf/operator/ann", b"\xff"]},
        {"peer_dns": [OPERATOR], "x509_subject_alternative_name": [OPERATOR]},
        {"x509_common_name": [OPERATOR]},
    ],
)
async def test_no_other_certificate_makes_an_operator(names: dict[str, list[bytes]]) -> None:
    for path in (f"/{ADMIN_SERVICE}/Version", f"/{INFERENCE_SERVICE}/RepositoryModelLoad"):
        handler = await guarded(path)
        with pytest.raises(Aborted) as caught:
            await handler.unary_unary(b"", Peer(FOREIGN, **names))
        assert caught.value.status is grpc.StatusCode.PERMISSION_DENIED


async def test_inference_answers_everybody() -> None:
    handler = await guarded(f"/{INFERENCE_SERVICE}/ServerLive")
    assert (await handler.unary_unary(b"", Peer(FOREIGN))).live


async def test_a_method_that_is_not_there_has_no_handler() -> None:
    assert await guarded(f"/{INFERENCE_SERVICE}/Nothing") is None
