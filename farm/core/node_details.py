"""A node in depth: what it is doing now, and what went wrong there."""

from dataclasses import dataclass

from farm.core.models import LatencyCurve, ModelKey
from farm.core.snapshots import NodeSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchInFlight:
    """A batch that a gateway sent `age_s` ago and that is not answered yet.

    It is `running`, or waits at the node behind others.
    """

    batch_id: int
    model: ModelKey
    rows: int
    requests: int
    age_s: float
    running: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFailure:
    """A batch that a node did not complete; `code` is an error code, `message` its own words."""

    unix_ns: int
    batch_id: int
    model: ModelKey
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOnNode:
    """A version on a node: whether it is ready or why not, and its curve once that is measured.

    Batches really take `correction` times as long; None where there is no curve.
    """

    model: ModelKey
    ready: bool
    reason: str
    curve: LatencyCurve | None = None
    correction: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeDetails:
    """A node in depth: batches the oldest first, failures the newest first."""

    node: NodeSnapshot
    batches: tuple[BatchInFlight, ...] = ()
    models: tuple[ModelOnNode, ...] = ()
    failures: tuple[NodeFailure, ...] = ()
