"""`grpc.health.v1.Health`: whether requests are welcome."""

import asyncio
from collections.abc import AsyncIterator, Iterable

import grpc
from grpc_health.v1 import health_pb2 as pb

from farm.frontend.grpc_types import Context


class HealthService:
    """Methods are named as in the protocol.

    gRPC's own service sends to watchers under the lock that every change of a status needs, so
    that one who does not read keeps the gateway from going on. Here a watcher keeps nobody
    waiting: what it has not read in time it does not learn.
    """

    def __init__(self, services: Iterable[str]) -> None:
        """Speak for these services; `""` is the whole server. None of them serves yet."""
        self._status = dict.fromkeys(services, pb.HealthCheckResponse.NOT_SERVING)
        self._drained = False
        self._changed = asyncio.Event()

    def set_serving(self, serving: bool) -> None:
        """Tell whether requests are welcome; after `drain` they never are."""
        welcome = serving and not self._drained
        status = pb.HealthCheckResponse.SERVING if welcome else pb.HealthCheckResponse.NOT_SERVING
        self._status = dict.fromkeys(self._status, status)
        self._changed.set()
        self._changed = asyncio.Event()

    def drain(self) -> None:
        """Say that requests are not welcome any more, for good."""
        self._drained = True
        self.set_serving(False)

    async def Check(  # noqa: N802
        self, request: pb.HealthCheckRequest, context: Context
    ) -> pb.HealthCheckResponse:
        status = self._status.get(request.service)
        if status is None:
            await context.abort(grpc.StatusCode.NOT_FOUND)
        return pb.HealthCheckResponse(status=status)

    async def Watch(  # noqa: N802
        self, request: pb.HealthCheckRequest, _context: Context
    ) -> AsyncIterator[pb.HealthCheckResponse]:
        told = None
        while True:
            # Before the look, so that no change is missed between it and the wait.
            changed = self._changed
            status = self._status.get(request.service, pb.HealthCheckResponse.SERVICE_UNKNOWN)
            if status != told:
                told = status
                yield pb.HealthCheckResponse(status=status)
            await changed.wait()
