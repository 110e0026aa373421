"""Who may call what, told from the peer's address and certificate."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NoReturn, cast

import grpc
import pytest
from fake_dataplane import (
    ErrorNotes,
    FakeDataPlane,
    admin_service,
    inference_service,
    repository_service,
)

from farm.core.errors import ErrorCode
from farm.core.observer import Observer
from farm.frontend.callers import Callers
from farm.frontend.grpc_types import GenericHandler
from farm.frontend.guard import Guard
from farm.frontend.handlers import service_handler
from farm.frontend.peers import is_loopback
from farm.pb import open_inference_pb2 as oip
from farm.pb.services import ADMIN_SERVICE, INFERENCE_SERVICE


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
        # gRPC gives the certificate itself beside what stands in it.
        self._names = {**names, "x509_pem_cert": [repr(names).encode()]} if names else {}

    def peer(self) -> str:
        return self._peer

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        return self._names

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return ()

    def time_remaining(self) -> None:
        return None

    def add_done_callback(self, _: Callable[[object], None]) -> None:
        """Nothing ends here."""

    async def abort(self, status: grpc.StatusCode, details: str, trailers: object) -> NoReturn:
        raise Aborted(status, details, trailers)


FOREIGN = "ipv4:192.168.1.7:50051"
CLIENT, OPERATOR, ADMIN = (
    b"farm://shelf/client/ann",
    b"farm://shelf/operator/ann",
    b"farm://shelf/admin/ann",
)


async def guarded(
    path: str,
    on_error: Callable[[ErrorCode], None] = lambda _: None,
    *,
    more: Sequence[GenericHandler] = (),
) -> Any:
    """The handler of a method behind the guard."""
    inference = inference_service(FakeDataPlane(), cast(Observer, ErrorNotes()))
    handlers = [
        service_handler(ADMIN_SERVICE, admin_service()),
        service_handler(INFERENCE_SERVICE, inference, repository_service()),
        *more,
    ]
    details = SimpleNamespace(method=path, invocation_metadata=())

    async def continuation(given: Any) -> Any:
        return next(filter(None, (handler.service(given) for handler in handlers)), None)

    guard = Guard(
        callers=Callers(farm="shelf", certificates=None),
        on_error=on_error,
        on_act=lambda _: None,
    )
    return await guard.intercept_service(continuation, cast(grpc.HandlerCallDetails, details))


async def test_operators_methods_are_refused_to_foreign_peers() -> None:
    handler = await guarded(f"/{ADMIN_SERVICE}/Version")
    with pytest.raises(Aborted) as caught:
        await handler.unary_unary(b"", Peer(FOREIGN, peer_uri=[CLIENT]))
    assert caught.value.status is grpc.StatusCode.PERMISSION_DENIED
    assert "Version needs the role 'operate', and you have 'infer'" in caught.value.details
    assert "farm certs issue NAME --role operate" in caught.value.details
    assert ("farm-error-code", "permission_denied") in cast(Any, caught.value.trailers)


@pytest.mark.parametrize("name", ["ModelInfer", "RepositoryModelLoad"])
async def test_who_shows_nothing_from_elsewhere_is_told_to(name: str) -> None:
    handler = await guarded(f"/{INFERENCE_SERVICE}/{name}")
    with pytest.raises(Aborted) as caught:
        await handler.unary_unary(b"", Peer(FOREIGN))
    assert caught.value.status is grpc.StatusCode.UNAUTHENTICATED
    assert "you have shown none: show a token" in caught.value.details
    assert ("farm-error-code", "unauthenticated") in cast(Any, caught.value.trailers)


@pytest.mark.parametrize("name", ["Version", "WatchSnapshots"])
async def test_a_refused_peer_counts_once(name: str) -> None:
    told: list[ErrorCode] = []
    handler = await guarded(f"/{ADMIN_SERVICE}/{name}", told.append)
    with pytest.raises(Aborted):
        if name == "Version":
            await handler.unary_unary(b"", Peer(FOREIGN))
        else:
            await anext(handler.unary_stream(b"", Peer(FOREIGN)))
    assert told == [ErrorCode.UNAUTHENTICATED]


async def test_streams_are_refused_before_their_first_message() -> None:
    handler = await guarded(f"/{ADMIN_SERVICE}/WatchSnapshots")
    got = []
    with pytest.raises(Aborted) as caught:
        async for message in handler.unary_stream(b"", Peer(FOREIGN)):
            got.append(message)
    assert caught.value.status is grpc.StatusCode.UNAUTHENTICATED
    assert got == []


async def test_a_foreign_peer_is_refused_before_its_bytes_are_looked_at() -> None:
    handler = await guarded(f"/{ADMIN_SERVICE}/Version")
    with pytest.raises(Aborted) as caught:
        await handler.unary_unary(b"\xff\xff", Peer(FOREIGN))
    assert caught.value.status is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize(
    "peer",
    [
        Peer("ipv4:127.0.0.1:1"),
        Peer("unix:"),
        Peer(FOREIGN, peer_uri=[OPERATOR]),
        Peer(FOREIGN, peer_uri=[ADMIN]),
        Peer(FOREIGN, peer_uri=[b"https://example.org/ann", OPERATOR]),
        Peer("ipv4:127.0.0.1:1", peer_uri=[OPERATOR]),
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
# A certificate says what its holder may do, also on this machine.
@pytest.mark.parametrize("address", [FOREIGN, "ipv4:127.0.0.1:1"])
async def test_no_other_certificate_makes_an_operator(
    address: str, names: dict[str, list[bytes]]
) -> None:
    for path in (f"/{ADMIN_SERVICE}/Version", f"/{INFERENCE_SERVICE}/RepositoryModelLoad"):
        handler = await guarded(path)
        with pytest.raises(Aborted) as caught:
            await handler.unary_unary(b"", Peer(address, **names))
        assert caught.value.status is grpc.StatusCode.PERMISSION_DENIED


def own_config() -> bytes:
    request = oip.RepositoryModelLoadRequest(model_name="m")
    request.parameters["config"].string_param = "{}"
    return request.SerializeToString()


def quieter() -> bytes:
    request = oip.LogSettingsRequest()
    request.settings["log_info"].bool_param = False
    return request.SerializeToString()


@pytest.mark.parametrize(
    ("name", "request_"), [("RepositoryModelLoad", own_config()), ("LogSettings", quieter())]
)
async def test_what_one_request_asks_may_need_more_than_its_method(
    name: str, request_: bytes
) -> None:
    handler = await guarded(f"/{INFERENCE_SERVICE}/{name}")
    with pytest.raises(Aborted) as caught:
        await handler.unary_unary(request_, Peer(FOREIGN, peer_uri=[OPERATOR]))
    assert "needs the role 'admin', and you have 'operate'" in caught.value.details
    await handler.unary_unary(request_, Peer(FOREIGN, peer_uri=[ADMIN]))
    await handler.unary_unary(b"", Peer(FOREIGN, peer_uri=[OPERATOR]))


async def test_whether_it_lives_is_told_to_everybody() -> None:
    handler = await guarded(f"/{INFERENCE_SERVICE}/ServerLive")
    assert (await handler.unary_unary(b"", Peer(FOREIGN))).live


async def test_a_method_that_is_not_there_has_no_handler() -> None:
    assert await guarded(f"/{INFERENCE_SERVICE}/Nothing") is None


async def test_a_method_that_no_role_is_said_for_answers_nobody() -> None:
    async def serve(_request: bytes, _context: object) -> bytes:
        return b"served"

    handlers = {"Forgotten": grpc.unary_unary_rpc_method_handler(serve)}
    forgotten = grpc.method_handlers_generic_handler("farm.v9.New", handlers)
    handler = await guarded("/farm.v9.New/Forgotten", more=[forgotten])
    with pytest.raises(Aborted) as caught:
        await handler.unary_unary(b"", Peer("ipv4:127.0.0.1:1"))
    assert caught.value.status is grpc.StatusCode.PERMISSION_DENIED
