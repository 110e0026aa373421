"""The gRPC server: ports, health, reflection, draining, handing over."""

import asyncio
import contextlib
import resource
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from farm.core.acts import Act
from farm.core.errors import ConfigurationError
from farm.core.handover import (
    check_supported,
    end_connections,
    open_connections,
    take_port,
)
from farm.core.observer import Observer
from farm.frontend.callers import Callers
from farm.frontend.guard import Guard
from farm.frontend.handlers import service_handler
from farm.frontend.health_service import HealthService
from farm.frontend.inference_service import InferenceService
from farm.frontend.limits import LIMITS
from farm.frontend.repository_service import RepositoryService
from farm.frontend.tls import TlsSettings, server_credentials
from farm.pb.pool import POOL
from farm.pb.services import ADMIN_SERVICE, INFERENCE_SERVICE

_log = structlog.get_logger()

_MAX_PENDING = 1 << 20

# Clients may ask for a sign of life this often: twice as often as farm.client does.
_PING_INTERVAL_MS = 5_000

# Files that are not connections of clients: to nodes, models, ledger, Ray's.
_OTHER_FILES = 512

# gRPC ends each connection at its age, give or take this share, and then needs an answer.
_AGE_SPREAD = 0.1
_AGE_MARGIN_S = 2.0
_LOOK_S = 0.1
# Clients that hammer leave the gateway without a call for no longer than this at a time.
_GRACE_LOOK_S = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """An address beside the first one, with its own way of trusting."""

    address: str
    tls: TlsSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontendSettings:
    """Where to listen, how, and the largest message taken. Port 0 lets the system choose.

    gRPC asks all clients of an address for certificates or none: `operators` is where
    operators show theirs if clients of the first have none. With a `connection_age_s` the
    addresses can be handed over to a newer process: connections end in turn when they are that
    old, and clients open new ones without losing a call. Connections beyond `max_connections`
    are closed at once; there are fewer where the process may not open so many files.
    """

    address: str
    tls: TlsSettings | None = None
    operators: Listening | None = None
    connection_age_s: float | None = None
    max_receive_bytes: int = 64 << 20
    max_connections: int = 16_384


class Frontend:
    """One gRPC server. `port`, of the first address, is known once it is bound."""

    def __init__(
        self,
        settings: FrontendSettings,
        *,
        inference: InferenceService,
        repository: RepositoryService,
        admin: Sequence[object],
        callers: Callers,
        observer: Observer,
        on_act: Callable[[Act], None],
    ) -> None:
        """Prepare to listen. Each of `admin` has some methods of `farm.v1.FarmAdmin`.

        `callers` say who calls and what they may do; `on_act` is told every call that was to
        change the farm, once it has ended.

        Raises:
            ConfigurationError: a file of TLS cannot be used, or this system cannot hand over
                an address.
        """
        if settings.connection_age_s is not None:
            check_supported()
        self._settings = settings
        self._credentials = server_credentials(settings.tls) if settings.tls is not None else None
        extra = settings.operators
        self._operators = None if extra is None else server_credentials(extra.tls)
        self._inference = inference
        self._health = HealthService(("", INFERENCE_SERVICE, ADMIN_SERVICE))
        self._guard = Guard(
            callers=callers,
            on_error=observer.error_answered,
            on_act=on_act,
        )
        age_s = settings.connection_age_s
        self._server = grpc.aio.server(
            interceptors=[self._guard],
            options=[
                ("grpc.max_receive_message_length", settings.max_receive_bytes),
                ("grpc.max_send_message_length", -1),
                ("grpc.max_concurrent_streams", LIMITS.max_calls),
                (
                    "grpc.max_allowed_incoming_connections",
                    connections_within(settings.max_connections),
                ),
                # Unless it is meant, a second gateway would bind the same port and get half
                # of the connections, and neither would be told.
                ("grpc.so_reuseport", int(age_s is not None)),
                # Calls and streams that are open then may take as long as they like.
                *([("grpc.max_connection_age_ms", int(age_s * 1000))] if age_s else []),
                ("grpc.http2.min_ping_interval_without_data_ms", _PING_INTERVAL_MS),
                # gRPC drops calls in a burst of over 1,000, as a bare CANCELLED that hardly a
                # client retries. The farm's own queue is the bound; it refuses in words.
                ("grpc.server.max_pending_requests", _MAX_PENDING),
                ("grpc.server.max_pending_requests_hard_limit", _MAX_PENDING),
            ],
        )
        handlers = (
            service_handler(INFERENCE_SERVICE, inference, repository),
            service_handler(ADMIN_SERVICE, *admin),
        )
        self._server.add_generic_rpc_handlers(handlers)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        _enable_reflection(self._server)
        self.port = 0
        self._ports: list[int] = []

    async def start(self, *, serving: bool = False) -> None:
        """Listen. Health says at first what `serving` does.

        Of several that share an address the one that listens last gets the new connections.

        Raises:
            ConfigurationError: the address cannot be bound.
        """
        self.port = self._bind(self._settings.address, self._credentials)
        self._ports = [self.port]
        if self._settings.operators is not None:
            self._ports.append(self._bind(self._settings.operators.address, self._operators))
        self.set_serving(serving)
        await self._server.start()
        if self._settings.connection_age_s is not None and not all(map(take_port, self._ports)):
            _log.warning(
                "handover_may_lose_requests", reason="this kernel cannot steer connections"
            )

    def _bind(self, address: str, credentials: grpc.ServerCredentials | None) -> int:
        try:
            if credentials is None:
                return self._server.add_insecure_port(address)
            return self._server.add_secure_port(address, credentials)
        except RuntimeError as error:
            raise port_error("gRPC", address) from error

    def set_serving(self, serving: bool) -> None:
        """Tell health checks whether requests are welcome."""
        self._health.set_serving(serving)

    async def moved(self) -> None:
        """Wait until the clients have gone over to a newer process that shares the address.

        It takes no longer than connections live; those that streams keep open remain.
        """
        age_s = self._settings.connection_age_s
        if age_s is None:
            return
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + age_s * (1 + _AGE_SPREAD) + _AGE_MARGIN_S
        while any(map(open_connections, self._ports)) and loop.time() < give_up_at:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_S)

    def begin_drain(self) -> None:
        """Say NOT_SERVING from now on, whatever anybody sets later."""
        self._health.drain()

    async def quiet(self, *, idle_s: float, at_most_s: float) -> None:
        """Wait until no call has come in for `idle_s` seconds.

        A call that is on its way when the port closes is told nothing but that its connection
        ended; one that comes in before is refused in words, and told when to try again.
        """
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + at_most_s
        while (until := min(self._guard.calls.last_at + idle_s, give_up_at)) > loop.time():  # noqa: ASYNC110
            await asyncio.sleep(until - loop.time())

    async def end_streams(self, *, at_most_s: float) -> None:
        """Let open streams deliver what they owe, for a while."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._inference.end_streams(), at_most_s)

    async def stop(self, grace_s: float) -> None:
        """Close the ports; calls that do not just watch have `grace_s` seconds to end.

        gRPC would answer what is on its way with a bare CANCELLED, which hardly a client tries
        again. Whose connection ends is told UNAVAILABLE.
        """
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + grace_s
        while self._guard.calls.count and loop.time() < give_up_at:  # noqa: ASYNC110
            await asyncio.sleep(_GRACE_LOOK_S)
        for port in self._ports:
            end_connections(port)
        self._ports = []
        await self._server.stop(None)


def connections_within(wanted: int) -> int:
    """Return how many connections to take: some files are left to the rest of the process."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return wanted
    most = min(wanted, max(files - _OTHER_FILES, files // 2))
    if most < wanted:
        _log.info("fewer_connections", most=most, reason=f"this process may open {files} files")
    return most


def port_error(what: str, address: str) -> ConfigurationError:
    """Return the error of an address that cannot be bound, with what to do about it."""
    return ConfigurationError(
        f"the {what} address {address} cannot be bound: is another farm or Triton running there?"
        f" Stop it or choose another port"
    )


def check_free(what: str, address: str) -> None:
    """Find out whether an address is free before anything expensive is started.

    Raises:
        ConfigurationError: it is not, or it is no address at all.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ConfigurationError(
            f"the {what} address '{address}' is not HOST:PORT, for example 127.0.0.1:8001"
        )
    try:
        family = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)[0][0]
    except OSError as error:
        raise ConfigurationError(
            f"the {what} address '{address}': host '{host}' is not known here ({error.strerror})"
        ) from error
    with contextlib.closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), int(port)))
        except OSError as error:
            raise port_error(what, address) from error


def _enable_reflection(server: Any) -> None:
    # Our messages live in a pool of their own; reflection can only show what is in the
    # pool it is given, so health's and its own descriptions are added to ours.
    for module in (health_pb2, reflection_pb2):
        POOL.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
    names = (INFERENCE_SERVICE, ADMIN_SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server, pool=POOL)
