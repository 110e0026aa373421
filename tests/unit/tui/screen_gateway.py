"""A gateway over real gRPC whose answers tests change while it runs."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Condition
from typing import Any

import grpc

from farm.pb import farm_admin_pb2 as admin
from farm.pb.services import ADMIN_SERVICE, methods

WAIT_S = 10.0
INTERVAL_S = 0.05


class ScreenGateway:
    """Methods are named as in the protocol."""

    def __init__(self) -> None:
        self.changed = Condition()
        self.version = admin.VersionResponse(farm_version="9.9", protocol=1)
        self.snapshot = admin.FarmSnapshot(farm_name="shelf", gateway_began_unix_ns=1)
        self.events: list[admin.FarmEvent] = []
        self.asked_after: list[int] = []
        self.silent = False
        self.ended = False

    def happen(self, number: int) -> None:
        with self.changed:
            event = admin.FarmEvent(number=number, kind="node_lost", severity="error")
            self.events.append(event)
            self.changed.notify_all()

    def end(self) -> None:
        """End every call."""
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def Version(self, _request: Any, _context: Any) -> admin.VersionResponse:  # noqa: N802
        return self.version

    def WatchSnapshots(  # noqa: N802
        self, _request: Any, context: Any
    ) -> Iterator[admin.FarmSnapshot]:
        while context.is_active() and not self.ended:
            if not self.silent:
                yield self.snapshot
            with self.changed:
                self.changed.wait(INTERVAL_S)

    def WatchEvents(  # noqa: N802
        self, request: admin.WatchEventsRequest, context: Any
    ) -> Iterator[admin.WatchEventsResponse]:
        self.asked_after.append(request.after)
        told = request.after
        while context.is_active() and not self.ended:
            with self.changed:
                new = [event for event in self.events if event.number > told]
                if not new:
                    self.changed.wait(INTERVAL_S)
                    continue
            told = new[-1].number
            yield admin.WatchEventsResponse(events=new)


@contextmanager
def served(gateway: Any, address: str = "127.0.0.1:0") -> Iterator[str]:
    """Serve whatever of the protocol of operators an object has methods for."""
    # Threads end with the call that they answer, and those end with the server.
    server = grpc.server(ThreadPoolExecutor(16), options=[("grpc.so_reuseport", 0)])
    handlers = {
        method.name: (
            grpc.unary_stream_rpc_method_handler
            if method.server_streaming
            else grpc.unary_unary_rpc_method_handler
        )(
            getattr(gateway, method.name),
            request_deserializer=method.request_type.FromString,
            response_serializer=method.response_type.SerializeToString,
        )
        for method in methods(ADMIN_SERVICE)
        if hasattr(gateway, method.name)
    }
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(ADMIN_SERVICE, handlers),)
    )
    host, _, _ = address.rpartition(":")
    port = server.add_insecure_port(address)
    server.start()
    try:
        yield f"{host}:{port}"
    finally:
        server.stop(0).wait()
