"""Six hours of a farm of two nodes, in a ledger: enough to report on, the same every time."""

import math
from datetime import date
from pathlib import Path

from farm.core.errors import ErrorCode
from farm.core.ledger import BatchRecord, Incident, IncidentKind, Usage, WasteKind, WindowRecord
from farm.core.models import ModelKey
from farm.core.terms import FarmTerms, FxRate
from farm.engine.ledger.ledger import Ledger

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
# Noon of 2025-01-01, UTC.
BEGAN_NS = 1_735_732_800 * SECOND_NS
MINUTES = 360
# Nobody recorded anything in these: the gateway was off.
OFF = range(200, 230)
ENDED_NS = BEGAN_NS + MINUTES * MINUTE_NS

# What a stranger may call a model.
HOSTILE = "<script>alert('x')</script>\"&"
DIGITS = ModelKey("digits", 1)
REQUESTS_A_MINUTE = 120
IDLE_W = 6.0
BUSY_J = 0.4
PRICE_PER_KWH = 0.32
# Two boards of 80 over four years.
CAPITAL_PER_S = 2 * 80 / (4 * 365.25 * 86_400)

RATE = FxRate(sold="USD", bought="EUR", rate=0.9, day=date(2026, 11, 1), source="a bank")
TERMS = FarmTerms(
    nodes=2,
    currency="EUR",
    price_per_kwh=PRICE_PER_KWH,
    capital_per_s=CAPITAL_PER_S,
    grid_gco2e_per_kwh=381.0,
    grid_source="a page",
    fx=(RATE,),
)


class HistoryClock:
    """Tells the moment of what is being recorded."""

    def __init__(self) -> None:
        self.now_ns = BEGAN_NS

    def monotonic(self) -> float:
        return self.now_ns / 1e9

    def unix_ns(self) -> int:
        return self.now_ns


def write_history(path: Path) -> Ledger:
    """Return an open ledger with all of it; whoever asked for it closes it."""
    clock = HistoryClock()
    ledger = Ledger(path, clock=clock, currency="EUR")
    ledger.open()
    for minute in range(MINUTES):
        if minute in OFF:
            continue
        clock.now_ns = BEGAN_NS + minute * MINUTE_NS + 30 * SECOND_NS
        is_idle = minute % 10 == 9
        ledger.window(
            WindowRecord(
                settled_unix_ns=clock.now_ns,
                window_s=60.0,
                usage=usage(IDLE_W * 60) if is_idle else Usage(),
            )
        )
        if not is_idle:
            _minute(ledger, clock.now_ns, minute)
    clock.now_ns = ENDED_NS - MINUTE_NS
    ledger.incident(
        Incident(
            unix_ns=clock.now_ns,
            kind=IncidentKind.NODE_LOST,
            subject="pi-2",
            detail="no heartbeat for 3.0 s",
        )
    )
    ledger.flush()
    return ledger


def usage(joules: float, *, marginal_j: float = 0.0, node_s: float = 0.0) -> Usage:
    """Return joules of all three sources, priced."""
    power_cost = joules / 3.6e6 * PRICE_PER_KWH
    return Usage(
        joules=joules,
        low_j=joules * 0.9,
        high_j=joules * 1.2,
        measured_j=joules * 0.6,
        modelled_j=joules * 0.3,
        marginal_j=marginal_j,
        node_s=node_s,
        reference_s=node_s * 4,
        cost=power_cost + CAPITAL_PER_S * 60,
        power_cost=power_cost,
    )


def _minute(ledger: Ledger, now_ns: int, minute: int) -> None:
    load = 1 + math.sin(minute / 40)
    requests = round(REQUESTS_A_MINUTE * load) + 2
    model = ModelKey(HOSTILE, 1) if minute % 5 == 0 else DIGITS
    for index in range(requests):
        late = index % 50 == 49
        ledger.request(
            model,
            "id:camera" if index % 3 else "ipv4:127.0.0.1:50000",
            ErrorCode.DEADLINE_EXCEEDED if late else None,
            0.004 * (1 + load) * (1 + index % 10),
            in_time=not late,
            request_bytes=3_136,
            response_bytes=0 if late else 40,
        )
    failed = minute % 30 == 0
    batch = BatchRecord(
        settled_unix_ns=now_ns,
        batch_id=minute,
        model=model,
        digest="d" * 64,
        node_id=f"pi-{1 + minute % 2}",
        route="farm",
        outcome="node_lost" if failed else "completed",
        rows=requests,
        requests=0 if failed else requests,
        queue_s=0.2,
        compute_s=requests * 0.02,
        usage=usage(
            IDLE_W * 60 + requests * BUSY_J,
            marginal_j=requests * BUSY_J,
            node_s=requests * 0.02,
        ),
        wasted=requests if failed else 0,
        waste={WasteKind.RETRIED: requests} if failed else {},
        clients={"id:camera": requests - requests // 3, "ipv4:127.0.0.1:50000": requests // 3},
    )
    ledger.batches((batch,), 1)
