"""Records for ledgers, and a clock that stands still."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from farm.core.ledger import BatchRecord, GroupBy, LedgerQuery, Usage, WasteKind
from farm.core.models import ModelKey
from farm.engine.ledger.ledger import Ledger

MINUTE_NS = 60_000_000_000
# A whole minute, in November 2026.
NOON_NS = 1_795_348_800 * 1_000_000_000

DIGITS = ModelKey("digits", 1)
USAGE = Usage(
    joules=8.0, low_j=6.0, high_j=12.0, measured_j=4.0, modelled_j=3.0, marginal_j=5.0, node_s=2.0,
    cost=0.5, power_cost=0.125,
)  # fmt: skip


class StandingClock:
    """Tells one moment until it is set to another."""

    def __init__(self, unix_ns: int = NOON_NS) -> None:
        self.now_ns = unix_ns

    def monotonic(self) -> float:
        return self.now_ns / 1e9

    def unix_ns(self) -> int:
        return self.now_ns


def batch_record(**changes: Any) -> BatchRecord:
    """Return a batch of two clients that was settled at noon, with changes."""
    clients: Mapping[str, int] = {"id:ann": 3, "id:bob": 1}
    fields: dict[str, Any] = {
        "settled_unix_ns": NOON_NS, "batch_id": 1, "model": DIGITS, "digest": "d" * 64,
        "node_id": "pi-1", "route": "farm", "outcome": "completed", "rows": 4, "requests": 3,
        "queue_s": 0.2, "compute_s": 0.1, "usage": USAGE, "wasted": 1,
        "waste": {WasteKind.CANCELLED: 1},
        "clients": clients,
    }  # fmt: skip
    return BatchRecord(**{**fields, **changes})


def asked(group: GroupBy = GroupBy.TOTAL, *, minutes: int = 10, step_s: int = 0) -> LedgerQuery:
    """Ask for the minutes from noon on."""
    return LedgerQuery(
        since_unix_ns=NOON_NS,
        until_unix_ns=NOON_NS + minutes * MINUTE_NS,
        group=group,
        step_s=step_s,
    )


@contextmanager
def opened(path: Path, **options: Any) -> Iterator[Ledger]:
    """A ledger that is open, and closed in the end."""
    ledger = Ledger(path, **{"clock": StandingClock(), **options})
    ledger.open()
    try:
        yield ledger
    finally:
        ledger.close()
