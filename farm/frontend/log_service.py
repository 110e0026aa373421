"""The part of `farm.v1.FarmAdmin` that shows logs to operators who are elsewhere."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Final, Protocol

from farm.core.errors import InvalidRequestError, NodeLostError
from farm.core.histories import LogLine
from farm.core.pool import WorkerPool
from farm.core.text import printable
from farm.frontend.grpc_types import Context
from farm.pb import farm_admin_pb2 as pb

# How often a log is looked at for more. A node's answer takes the place of a heartbeat's.
_GATEWAY_S: Final = 0.5
_NODE_S: Final = 2.0
_MOST_LINES: Final = 2_000
_MOST_CHARACTERS: Final = 8_000


class GatewayLog(Protocol):
    """The gateway's own log."""

    def after(self, number: int) -> tuple[int, list[LogLine]]:
        """Return the lines that followed so many, as far as they are kept, and how many now."""
        ...


class LogService:
    """Methods are named as in the protocol; `handlers.py` finds them by that name."""

    def __init__(self, *, pool: WorkerPool, gateway: GatewayLog) -> None:
        self._pool = pool
        self._gateway = gateway

    async def TailLog(  # noqa: N802
        self, request: pb.TailLogRequest, _context: Context
    ) -> AsyncIterator[pb.TailLogResponse]:
        node_id = request.node_id
        if node_id and node_id not in self._pool.node_ids:
            raise InvalidRequestError(f"the farm has no node '{node_id[:64]}'")
        position, lines = await self._read(node_id, 0)
        wanted = min(request.lines, _MOST_LINES)
        yield _message(lines[max(len(lines) - wanted, 0) :])
        while request.follow:
            await asyncio.sleep(_NODE_S if node_id else _GATEWAY_S)
            try:
                position, lines = await self._read(node_id, position)
            except NodeLostError:
                # The process that takes its place has a log of its own, which follows.
                continue
            if lines:
                yield _message(lines)

    async def _read(self, node_id: str, after: int) -> tuple[int, list[LogLine]]:
        if not node_id:
            position, lines = self._gateway.after(after)
            if after and (left_out := position - after - len(lines)) > 0:
                # They came too fast.
                text = f"({left_out} lines were left out)"
                lines.insert(0, LogLine(unix_ns=lines[0].unix_ns, level="", text=text))
            return position, lines
        position, text = await self._pool.read_log(node_id, after)
        # Whoever wrote it says when and how grave, if at all.
        return position, [LogLine(unix_ns=0, level="", text=line) for line in text.splitlines()]


def _message(lines: Iterable[LogLine]) -> pb.TailLogResponse:
    return pb.TailLogResponse(
        lines=[
            pb.LogLine(
                unix_ns=line.unix_ns, level=line.level, text=printable(line.text, _MOST_CHARACTERS)
            )
            for line in lines
        ]
    )
