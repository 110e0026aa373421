"""The part of `farm.v1.FarmAdmin` that tells what work took."""

import asyncio
from collections.abc import AsyncIterator

from farm.core.clock import Clock
from farm.core.errors import UnsupportedError
from farm.engine.ledger.ledger import Ledger
from farm.frontend.grpc_types import Context
from farm.frontend.ledger_messages import to_query, to_records, to_response, to_time
from farm.pb import farm_admin_pb2 as pb


class LedgerService:
    """Methods are named as in the protocol; `handlers.py` finds them by that name.

    They are refused where no ledger is kept.
    """

    def __init__(self, ledger: Ledger | None, *, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    async def Ledger(  # noqa: N802
        self, request: pb.LedgerRequest, _context: Context
    ) -> pb.LedgerResponse:
        query = to_query(request, now_unix_ns=self._clock.unix_ns())
        return to_response(await asyncio.to_thread(_kept(self._ledger).answer, query))

    async def LedgerRecords(  # noqa: N802
        self, request: pb.LedgerRecordsRequest, _context: Context
    ) -> AsyncIterator[pb.LedgerRecordsResponse]:
        since, until = to_time(request, now_unix_ns=self._clock.unix_ns())
        chunks = _kept(self._ledger).records(since, until)
        # The next chunk is read once gRPC has taken this one.
        while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
            yield to_records(chunk)


def _kept(ledger: Ledger | None) -> Ledger:
    if ledger is None:
        raise UnsupportedError(
            "this gateway keeps no ledger; set ledger.enabled in its configuration and restart it"
        )
    return ledger
