"""What the ledger keeps: batches once they are settled, requests by the minute, incidents."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from farm.core.models import ModelKey

# Upper bounds in seconds of the latency counts, one more counts what is above the last.
LATENCY_BOUNDS_S = (
    0.001, 0.0014, 0.002, 0.0028, 0.004, 0.0056, 0.008, 0.0113, 0.016, 0.0226, 0.032, 0.0453,
    0.064, 0.0905, 0.128, 0.181, 0.256, 0.362, 0.512, 0.724, 1.02, 1.45, 2.05, 2.9, 4.1, 8.2,
    16.4, 32.8, 65.5,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What work took: joules with their band and sources, time and money.

    `measured_j` and `modelled_j` are parts of `joules`, the rest is assumed. `marginal_j` is
    what it took beyond its share of what the farm draws idle. `node_s` is the time for which it
    had a whole node; `reference_s` is what one core of a Raspberry Pi 5 would have taken, the
    core for which baselines state their speed. `cost` is in the farm's currency, None where
    nothing has a price. `power_cost` is the part of it that went to electricity, 0 where that had
    no price, and the rest went to having the boards; None with a `cost` is not recorded.
    """

    joules: float = 0.0
    low_j: float = 0.0
    high_j: float = 0.0
    measured_j: float = 0.0
    modelled_j: float = 0.0
    marginal_j: float = 0.0
    node_s: float = 0.0
    reference_s: float = 0.0
    cost: float | None = None
    power_cost: float | None = None


class WasteKind(StrEnum):
    """Why a batch did not answer a request that it was to run.

    FAILED: there was no answer, and the request got an error. RETRIED: there was none, and the
    request was run again, or its twin ran on. HEDGED: its twin answered first. CANCELLED: its
    client had left. EXPIRED: its deadline had passed. UNTOLD: recorded before kinds were.
    """

    FAILED = "failed"
    RETRIED = "retried"
    HEDGED = "hedged"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    UNTOLD = "untold"


def waste_of(rows: Mapping[str, int]) -> Mapping[WasteKind, int]:
    """Return rows by the kind of their waste, as others wrote it; unknown kinds are left out."""
    return {kind: rows[kind] for kind in WasteKind if kind in rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRecord:
    """One settled batch.

    `requests` were answered by it and `wasted` were not; `waste` has the rows of these by kind,
    and `clients` the rows of each client. `queue_s` is of all its members together. `outcome` is
    "completed" or an error code.
    """

    settled_unix_ns: int
    batch_id: int
    model: ModelKey
    digest: str
    node_id: str
    route: str
    outcome: str
    rows: int
    requests: int
    wasted: int = 0
    queue_s: float
    compute_s: float
    usage: Usage
    waste: Mapping[WasteKind, int] = field(default_factory=dict)
    clients: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRecord:
    """A window that was closed; `usage` is what the farm took in it if nothing ran there."""

    settled_unix_ns: int
    window_s: float
    usage: Usage


class IncidentKind(StrEnum):
    """What an operator would be told of."""

    NODE_LOST = "node_lost"
    NODE_EJECTED = "node_ejected"
    METER_LOST = "meter_lost"
    LEDGER_SET_ASIDE = "ledger_set_aside"
    RECORDS_DROPPED = "records_dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Something that went wrong, and with what: a node, or nothing of the kind."""

    unix_ns: int
    kind: IncidentKind
    subject: str
    detail: str


@dataclass(slots=True)
class RequestCounts:
    """What became of requests of one model and client in one minute.

    `answered` counts those with an answer, `failed` those with an error by its code, refusals
    included. Of those that named a deadline `in_time` were answered before it and `late` were
    not, refused and failed ones included; cancelled ones are in neither. `latencies` counts
    answers by `LATENCY_BOUNDS_S`.
    """

    answered: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    in_time: int = 0
    late: int = 0
    request_bytes: int = 0
    response_bytes: int = 0
    latency_s: float = 0.0
    latencies: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_BOUNDS_S) + 1))


class GroupBy(StrEnum):
    """By what the ledger's figures are summed up; by WASTE it is what was wasted, by its kind."""

    TOTAL = "total"
    MODEL = "model"
    NODE = "node"
    ROUTE = "route"
    CLIENT = "client"
    WASTE = "waste"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerQuery:
    """Which figures: from one moment to another, by `group`, in steps of `step_s`.

    Sums are kept by the minute: the first moment is rounded down to a whole one, the last one
    up. `step_s` 0 sums up the whole time; else it is a multiple of 60, and steps are counted
    from the first minute. More than two days ago sums are kept by the hour: the first moment is
    rounded down to one, and all of it counts as its first minute.
    """

    since_unix_ns: int
    until_unix_ns: int
    group: GroupBy = GroupBy.TOTAL
    step_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerFigures:
    """The sums of one group in one step.

    `usage` is all that was charged there; `wasted` the part of it whose work answered nobody:
    see `WasteKind`. By WASTE they are the same, `batches` and `rows` are those with waste of
    a kind, and requests are not known. Idle windows are in the figures of TOTAL alone, as `idle`,
    and in `usage` too. Requests are not known by node and by route: there `counts` has only
    `answered`. `window_s` are the seconds of all windows, in which the gateway ran, of TOTAL
    alone.
    """

    start_unix_ns: int
    key: str
    window_s: float = 0.0
    batches: int = 0
    rows: int = 0
    queue_s: float = 0.0
    compute_s: float = 0.0
    usage: Usage = Usage()
    wasted: Usage = Usage()
    idle: Usage = Usage()
    counts: RequestCounts = field(default_factory=RequestCounts)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerAnswer:
    """Figures, the newest incidents of their time, and what there is to know of the ledger.

    Costs are in `currency`, None where nothing had a price yet. `begins_unix_ns` is the first
    minute that is kept, None in an empty ledger. `drops` counts records that were lost since
    the gateway started, because the disk failed for too long.
    """

    figures: tuple[LedgerFigures, ...]
    incidents: tuple[Incident, ...]
    currency: str | None
    begins_unix_ns: int | None
    size_bytes: int
    drops: int
