"""What a simulation is made of, wherever it came from: a scenario's file or a trace."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Protocol

from farm.core.models import LatencyCurve, ModelKey, ModelSpec
from farm.core.tensors import Tensor
from farm.scheduling.events import Event
from farm.scheduling.limits import SchedulingLimits


def stream(seed: int, name: str) -> Random:
    """Return the random numbers of one part of a simulation, apart from all others.

    So every scheduler meets the same requests, and a fault changes nothing elsewhere.
    """
    return Random(f"{seed}/{name}")  # noqa: S311 - chance, not a secret


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkPlan:
    """A network link, each way: seconds, bytes per second, and up to `jitter_s` at random.

    Where `delays_s` were recorded, one of them, drawn by lot, comes on top on the way there.
    """

    base_s: float
    bytes_per_s: float
    jitter_s: float = 0.0
    delays_s: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePlan:
    """A node: how it serves, what it takes, and what it tells of itself.

    Behind each of its threads up to `lookahead` batches wait. `curves` are the true seconds
    by digest, around which a batch's vary with `service_cv` (standard deviation over mean).
    `idle_w` and `load_w` are the board's, None where it has no power model. It is first up at
    `joins_at`; one that is replaced takes `restart_s`.
    """

    node_id: str
    board: str
    cores: int
    slots: int
    threads_per_slot: int
    lookahead: int
    curves: Mapping[str, LatencyCurve]
    link: LinkPlan
    service_cv: float = 0.0
    idle_w: float | None = None
    load_w: float | None = None
    joins_at: float = 0.0
    restart_s: float = 5.0

    @property
    def capacity(self) -> int:
        """Threads that run batches at once."""
        return self.slots * self.threads_per_slot

    def threads(self, digest: str) -> int:
        """Return the threads of a batch of a model."""
        return self.curves[digest].threads or self.threads_per_slot

    def rows_per_s(self, digest: str) -> float:
        """Return the most rows that the node can do of one model, at its best batch size."""
        curve = self.curves[digest]
        best = max(rows / curve.seconds(rows) for rows, _ in curve.points)
        return best * (self.capacity // self.threads(digest))

    def joules_per_row(self, digest: str) -> float | None:
        """Return the modelled joules above idle that a row costs at the best batch size."""
        if self.idle_w is None or self.load_w is None:
            return None
        watts = (self.load_w - self.idle_w) * self.capacity / self.cores
        return watts / self.rows_per_s(digest)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPlan:
    """A request but for its number and its time. Seconds count from its arrival."""

    model: ModelKey
    inputs: tuple[Tensor, ...]
    rows: int
    priority: int = 1
    deadline_s: float | None = None
    queue_timeout_s: float | None = None
    client: str = ""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request and when it comes."""

    at: float
    request: RequestPlan


class Workload(Protocol):
    """Where requests come from; each that is returned will be sent."""

    def first(self) -> Iterator[Arrival]:
        """Yield what comes before anything was answered."""
        ...

    def after_arrival(self) -> Arrival | None:
        """Return the next one of those that come whether or not others are done."""
        ...

    def after_reply(self, now: float, retry_after_s: float) -> Arrival | None:
        """Return what a caller sends next, who was answered now or told to wait so long."""
        ...


class WorkloadPlan(Protocol):
    """A workload that can be begun again and again, always the same."""

    def begin(self, seed: int) -> Workload: ...


class FaultKind(StrEnum):
    """What can befall a node: see `farm.sim.fault_forms`."""

    DIE = "die"
    HANG = "hang"
    SLOW = "slow"
    FLAKY = "flaky"
    LOSSY = "lossy"
    BUSY = "busy"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultPlan:
    """What befalls a node from `at_s` on, for `for_s` seconds or (infinite) to the end."""

    kind: FaultKind
    node_id: str
    at_s: float
    for_s: float
    factor: float = 1.0
    fraction: float = 0.0
    told: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Everything that a simulation needs, in the simulator's own words.

    `capacity_rows_per_s` is what the nodes can do together of the mix of models as it is
    offered; None where nobody can say. `told` is what the scheduler is told besides, and
    when. `recorded` is what a trace says of the real run. `source` names the file.
    """

    source: str
    seed: int
    nodes: tuple[NodePlan, ...]
    specs: tuple[ModelSpec, ...]
    workload: WorkloadPlan
    limits: SchedulingLimits
    faults: tuple[FaultPlan, ...] = ()
    told: tuple[tuple[float, Event], ...] = ()
    warmup_s: float = 0.0
    settle_s: float = 90.0
    capacity_rows_per_s: float | None = None
    recorded: Mapping[str, float] = field(default_factory=dict)
