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
    meter_fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSnapshot:
    """A version, where it is ready, and what it has done."""

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
    """Everything an operator's screen shows."""

    taken_unix_ns: int
    farm_name: str
    gateway_state: GatewayState
    nodes: tuple[NodeSnapshot, ...]
    models: tuple[ModelSnapshot, ...]
    queued_requests: int
    inflight_batches: int
    energy: EnergyTotals = EnergyTotals()
