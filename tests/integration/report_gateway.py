"""A gateway that has a ledger and terms, over real gRPC, and serves nothing else."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from farm.core.clock import SystemClock
from farm.core.terms import FarmTerms
from farm.engine.ledger.ledger import Ledger
from farm.frontend.callers import Callers
from farm.frontend.guard import Guard
from farm.frontend.handlers import service_handler
from farm.frontend.ledger_service import LedgerService
from farm.frontend.terms_service import TermsService
from farm.pb import farm_admin_pb2 as pb
from farm.pb.services import ADMIN_SERVICE

WAIT_S = 10.0


class _Version:
    async def Version(self, _request: Any, _context: Any) -> pb.VersionResponse:  # noqa: N802
        return pb.VersionResponse(farm_version="9.9", protocol=1, farm_name="shelf <1>")


@contextmanager
def report_gateway(ledger: Ledger | None, terms: FarmTerms) -> Iterator[str]:
    """Serve a ledger and terms on loopback; yield the address."""
    started = threading.Event()
    told: dict[str, Any] = {}

    async def serve() -> None:
        clock = SystemClock()
        guard = Guard(
            callers=Callers(farm="shelf", certificates=None),
            on_error=lambda _code: None,
            on_act=lambda _act: None,
        )
        server = grpc.aio.server(interceptors=[guard])
        server.add_generic_rpc_handlers(
            (
                service_handler(
                    ADMIN_SERVICE,
                    _Version(),
                    LedgerService(ledger, clock=clock),
                    TermsService(lambda _since, _until: terms, clock=clock),
                ),
            )
        )
        told["address"] = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        await server.start()
        told["end"], told["loop"] = asyncio.Event(), asyncio.get_running_loop()
        started.set()
        await told["end"].wait()
        await server.stop(0)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert started.wait(WAIT_S)
    try:
        yield told["address"]
    finally:
        told["loop"].call_soon_threadsafe(told["end"].set)
        thread.join(WAIT_S)
