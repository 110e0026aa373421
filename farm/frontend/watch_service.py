"""The part of `farm.v1.FarmAdmin` that tells what happened, and how the farm fared."""

from collections.abc import AsyncIterator
from contextlib import aclosing

from farm.core.errors import InvalidRequestError
from farm.core.events import FarmEvent
from farm.core.histories import HistoryPoint
from farm.engine.events import EventLog
from farm.engine.history import History
from farm.frontend.grpc_types import Context
from farm.pb import farm_admin_pb2 as pb


class WatchService:
    """Methods are named as in the protocol; `handlers.py` finds them by that name."""

    def __init__(self, *, events: EventLog, history: History) -> None:
        self._events = events
        self._history = history

    async def WatchEvents(  # noqa: N802
        self, request: pb.WatchEventsRequest, _context: Context
    ) -> AsyncIterator[pb.WatchEventsResponse]:
        async with aclosing(self._events.watch(request.after)) as told:
            async for events, missed in told:
                yield pb.WatchEventsResponse(events=map(_event, events), missed=missed)

    async def History(  # noqa: N802
        self, request: pb.HistoryRequest, _context: Context
    ) -> pb.HistoryResponse:
        points = self._history.points(request.node_id, since_unix_ns=request.since_unix_ns)
        if points is None:
            raise InvalidRequestError(f"the farm has no node '{request.node_id[:64]}'")
        return pb.HistoryResponse(points=map(_point, points))


def _event(event: FarmEvent) -> pb.FarmEvent:
    return pb.FarmEvent(
        number=event.number,
        unix_ns=event.unix_ns,
        kind=event.kind,
        severity=event.severity,
        subject=event.subject,
        detail=event.detail,
    )


def _point(point: HistoryPoint) -> pb.HistoryPoint:
    return pb.HistoryPoint(
        unix_ns=point.unix_ns,
        cpu_fraction=point.cpu_fraction,
        temperature_c=point.temperature_c,
        watts=point.watts,
        requests_per_s=point.requests_per_s,
        latency_ns=None if point.latency_s is None else round(point.latency_s * 1e9),
    )
