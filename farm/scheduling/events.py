"""What can happen to the machine. The log of these is the trace that replays a run."""

from collections.abc import Mapping
from dataclasses import dataclass

from farm.core.models import LatencyCurve, ModelKey, ModelSpec
from farm.core.nodes import NodeProfile
from farm.core.requests import BatchCompleted, BatchFailed, InferenceRequest


@dataclass(frozen=True, slots=True)
class RequestArrived:
    """A validated request wants in."""

    request: InferenceRequest


@dataclass(frozen=True, slots=True)
class RequestCancelled:
    """The caller of a request went away. Unknown and finished requests are ignored."""

    request_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeJoined:
    """A node is ready for traffic with the models in `ready` (digest to seed curve)."""

    profile: NodeProfile
    ready: Mapping[str, LatencyCurve | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeChanged:
    """Something about a node changed; None means unchanged.

    `joules_per_row` is what a row of each digest costs there, where that is known.
    """

    node_id: str
    ready: Mapping[str, LatencyCurve | None] | None = None
    cordoned: bool | None = None
    joules_per_row: Mapping[str, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeHeard:
    """A node's heartbeat. `speed` is its clock as a share of the highest, above 0."""

    node_id: str
    incarnation: str
    speed: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeProbed:
    """A probe that the machine asked for has ended; `ok` if the node answered it rightly."""

    node_id: str
    incarnation: str
    ok: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLost:
    """A node died; what it had in flight will not come back."""

    node_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class BatchFinished:
    """A node answered a batch."""

    completed: BatchCompleted


@dataclass(frozen=True, slots=True)
class TimerFired:
    """The moment of the last `WakeAt` has come."""


@dataclass(frozen=True, slots=True)
class ModelChanged:
    """A version is served from now on, under this spec, or (None) no longer."""

    key: ModelKey
    spec: ModelSpec | None


Event = (
    RequestArrived
    | RequestCancelled
    | NodeJoined
    | NodeChanged
    | NodeLost
    | NodeHeard
    | NodeProbed
    | BatchFinished
    | BatchFailed
    | TimerFired
    | ModelChanged
)
