"""What operators ask of the ledger, from the client through gRPC to the file and back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import grpc
import pytest
import pytest_asyncio

from farm.client import AdminClient
from farm.core.clock import SystemClock
from farm.core.errors import ErrorCode, InvalidRequestError, UnsupportedError
from farm.core.ledger import (
    BatchRecord,
    GroupBy,
    Incident,
    IncidentKind,
    LedgerQuery,
    Usage,
    WasteKind,
    WindowRecord,
)
from farm.core.models import ModelKey
from farm.engine.ledger.ledger import CHUNK, Ledger
from farm.frontend.callers import Callers
from farm.frontend.grpc_types import GenericHandler
from farm.frontend.guard import Guard
from farm.frontend.handlers import service_handler
from farm.frontend.ledger_service import LedgerService
from farm.pb.farm_admin_pb2 import LedgerRequest
from farm.pb.services import ADMIN_SERVICE

NOON_NS = 1_795_348_800 * 1_000_000_000
HOUR_NS = 3_600 * 1_000_000_000
DIGITS = ModelKey("digits", 1)
BATCH = BatchRecord(
    settled_unix_ns=NOON_NS, batch_id=7, model=DIGITS, digest="d" * 64, node_id="pi-1",
    route="farm", outcome="completed", rows=4, requests=3, queue_s=0.25, compute_s=0.125,
    usage=Usage(
        joules=8.0, low_j=6.0, high_j=12.0, measured_j=4.0, modelled_j=3.0, marginal_j=5.0,
        node_s=0.5, cost=0.5, power_cost=0.25,
    ),
    wasted=1, waste={WasteKind.EXPIRED: 1}, clients={"id:ann": 4},
)  # fmt: skip
LOST = Incident(unix_ns=NOON_NS, kind=IncidentKind.NODE_LOST, subject="pi-2", detail="silent")
ALL = LedgerQuery(since_unix_ns=NOON_NS, until_unix_ns=NOON_NS + HOUR_NS)


class NoonClock(SystemClock):
    def unix_ns(self) -> int:
        return NOON_NS


class Served:
    """A ledger behind gRPC, and its address."""

    def __init__(self, ledger: Ledger, address: str) -> None:
        self.ledger = ledger
        self.address = address
        self.admin = AdminClient(address)


def _handler(ledger: Ledger | None) -> GenericHandler:
    return service_handler(ADMIN_SERVICE, LedgerService(ledger, clock=NoonClock()))


@pytest_asyncio.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    clock = NoonClock()
    ledger = Ledger(tmp_path / "ledger.db", clock=clock, currency="EUR")
    ledger.open()
    server = grpc.aio.server(
        interceptors=[
            Guard(
                callers=Callers(farm="shelf", certificates=None),
                on_error=lambda _: None,
                on_act=lambda _: None,
            )
        ]
    )
    server.add_generic_rpc_handlers((_handler(ledger),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    served = Served(ledger, f"127.0.0.1:{port}")
    try:
        with closing(served.admin):
            yield served
    finally:
        await server.stop(0)
        ledger.close()


@pytest.mark.parametrize("group", GroupBy)
async def test_a_client_gets_what_the_ledger_says(served: Served, group: GroupBy) -> None:
    served.ledger.batches((BATCH,), 1)
    idle = WindowRecord(settled_unix_ns=NOON_NS, window_s=10.0, usage=Usage(joules=9.0))
    served.ledger.window(idle)
    served.ledger.incident(LOST)
    served.ledger.request(
        DIGITS, "id:ann", None, 0.5, in_time=True, request_bytes=10, response_bytes=20
    )
    served.ledger.request(DIGITS, "id:ann", ErrorCode.QUEUE_FULL, 0.5, in_time=False)
    query = LedgerQuery(
        since_unix_ns=NOON_NS, until_unix_ns=NOON_NS + HOUR_NS, group=group, step_s=60
    )
    answer = await asyncio.to_thread(served.admin.ledger, query)
    assert answer == await asyncio.to_thread(served.ledger.answer, query)
    assert [figures.start_unix_ns for figures in answer.figures] == [NOON_NS]
    assert (answer.currency, answer.incidents, answer.begins_unix_ns) == ("EUR", (LOST,), NOON_NS)


async def test_without_an_end_a_time_ends_now(served: Served) -> None:
    served.ledger.batches((BATCH,), 1)
    query = LedgerQuery(since_unix_ns=NOON_NS - HOUR_NS, until_unix_ns=0)
    # Noon's minute has begun, and no more than that.
    assert (await asyncio.to_thread(served.admin.ledger, query)).figures == ()
    later = LedgerQuery(since_unix_ns=NOON_NS - HOUR_NS, until_unix_ns=NOON_NS + 1)
    assert len((await asyncio.to_thread(served.admin.ledger, later)).figures) == 1


async def test_all_batches_of_a_time_are_streamed(served: Served) -> None:
    served.ledger.batches([BATCH] * (CHUNK + 1), CHUNK + 1)
    later = BatchRecord(**{**_fields(BATCH), "settled_unix_ns": NOON_NS + HOUR_NS, "clients": {}})
    served.ledger.batches((later,), 1)

    def read() -> list[BatchRecord]:
        return list(served.admin.ledger_records(NOON_NS, NOON_NS + HOUR_NS))

    assert await asyncio.to_thread(read) == [BATCH] * (CHUNK + 1)


def _fields(record: BatchRecord) -> dict[str, object]:
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


async def test_a_client_may_leave_in_the_middle(served: Served) -> None:
    served.ledger.batches([BATCH] * (3 * CHUNK), 3 * CHUNK)

    def begin() -> BatchRecord:
        with closing(served.admin.ledger_records(NOON_NS, NOON_NS + 1)) as records:
            return next(records)

    assert await asyncio.to_thread(begin) == BATCH
    assert await asyncio.to_thread(begin) == BATCH


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (LedgerRequest(group="moon"), "group must be one of total, model"),
        (LedgerRequest(step_ns=1), "whole seconds"),
        (LedgerRequest(step_ns=30_000_000_000), "multiple of 60"),
        (LedgerRequest(step_ns=-60_000_000_000), "multiple of 60"),
        (LedgerRequest(since_unix_ns=NOON_NS + 1), "begins after its end"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(
    served: Served, request_: LedgerRequest, words: str
) -> None:
    async with grpc.aio.insecure_channel(served.address) as channel:
        call = channel.unary_unary(f"/{ADMIN_SERVICE}/Ledger")
        with pytest.raises(grpc.aio.AioRpcError, match=words) as refused:
            await call(request_.SerializeToString())
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_records_of_a_time_that_ends_before_it_begins_are_refused(served: Served) -> None:
    def read() -> list[BatchRecord]:
        return list(served.admin.ledger_records(NOON_NS + 1, NOON_NS))

    with pytest.raises(InvalidRequestError, match="begins after its end"):
        await asyncio.to_thread(read)


async def test_a_farm_without_a_ledger_says_so() -> None:
    server = grpc.aio.server(
        interceptors=[
            Guard(
                callers=Callers(farm="shelf", certificates=None),
                on_error=lambda _: None,
                on_act=lambda _: None,
            )
        ]
    )
    server.add_generic_rpc_handlers((_handler(None),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        with (
            closing(AdminClient(f"127.0.0.1:{port}")) as admin,
            pytest.raises(UnsupportedError, match=r"ledger\.enabled"),
        ):
            await asyncio.to_thread(admin.ledger, ALL)
    finally:
        await server.stop(0)
