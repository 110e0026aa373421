"""The farm at one moment, for people and dashboards."""

from dataclasses import dataclass
from enum import StrEnum

from farm.core.energy import Power
from farm.core.models import ModelKey, ModelState
from farm.core.nodes import NodeProfile, NodeState, NodeVitals


class GatewayState(StrEnum):
    """Whether the gateway takes requests."""

    STARTING = "starting"
    SERVING = "serving"
    DRAINING = "draining"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeWork:
    """What a node did for one gateway since that began; all of it only rises.

    `answers_total` are requests, `failures_total` batches that ended in an error. `compute_s`
    and `joules` are of completed batches, the joules as their receipts told them: provisional,
    but known at once.
    """

    answers_total: int = 0
    batches_total: int = 0
    rows_total: int = 0
    failures_total: int = 0
    compute_s: float = 0.0
    joules: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSnapshot:
    """A node and the age of what is known of it; None where nothing is known yet.

    `inflight_batches` are those of this gateway alone. `power` is its host's, which nodes on one
    host have in common, and `meter_fault` why that is not by its meter.
    """

    node_id: str
    state: NodeState
    reason: str
    profile: NodeProfile | None
    vitals: NodeVitals | None
    heartbeat_age_s: float | None
    cordoned: bool = False
    inflight_batches: int = 0
    power: Power | None = None
    work: NodeWork = NodeWork()
    meter_fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSnapshot:
    """A version, where it is ready, and what it has done.

    `latency_s` is the time of all answers together, from arrival to answer, and `latencies`
    counts them by `LATENCY_BOUNDS_S` of `farm.core.ledger`; it is empty where there are none.
    """

    key: ModelKey
    state: ModelState
    reason: str
    digest: str
    max_batch_size: int
    batching_reason: str
    ready_nodes: tuple[str, ...]
    queued_requests: int
    requests_total: int
    failures_total: int
    rows_total: int = 0
    batches_total: int = 0
    latency_s: float = 0.0
    latencies: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerPrices:
    """What answers were said to cost since a gateway began, and by the baseline of receipts.

    Sums over `answers`; each cost is in its own currency, None where nothing has a price.
    """

    answers: int = 0
    cost: float | None = None
    currency: str = ""
    baseline: str = ""
    baseline_cost: float | None = None
    baseline_currency: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyTotals:
    """What the farm drew and cost since its gateway began, as far as windows are closed.

    `cost` is in `currency`; None where nothing has a price.
    """

    measured_j: float = 0.0
    modelled_j: float = 0.0
    assumed_j: float = 0.0
    cost: float | None = None
    currency: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FarmSnapshot:
    """Everything an operator's screen shows.

    Totals of a gateway begin anew with each: `gateway_began_unix_ns` tells one from the next.
    """

    taken_unix_ns: int
    farm_name: str
    gateway_state: GatewayState
    nodes: tuple[NodeSnapshot, ...]
    models: tuple[ModelSnapshot, ...]
    queued_requests: int
    inflight_batches: int
    energy: EnergyTotals = EnergyTotals()
    prices: AnswerPrices = AnswerPrices()
    gateway_began_unix_ns: int = 0
