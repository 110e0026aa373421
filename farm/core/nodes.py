"""Nodes: what one is, what state it is in, and how it looks from outside."""

from dataclasses import dataclass
from enum import StrEnum


class NodeState(StrEnum):
    """A node's state as operators see it."""

    JOINING = "joining"
    READY = "ready"
    SUSPECT = "suspect"
    CORDONED = "cordoned"
    EJECTED = "ejected"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeProfile:
    """What does not change while a node's actor lives.

    `incarnation` is new with every actor process. `slots` batches run at once on
    `threads_per_slot` threads each, unless a model's curve says otherwise: then as many as
    share `capacity` threads. Behind each up to `lookahead` more may wait at the node, to hide
    the network. `cpu_class` names the instruction-set generation whose rounding the goldens
    follow. `splits` are the threads a batch of each split of its cores that the node measures,
    its default first. Its power meter is asked every `meter_interval_s`.
    """

    node_id: str
    incarnation: str
    slots: int = 1
    threads_per_slot: int = 1
    lookahead: int = 1
    host: str = ""
    pid: int = 0
    board: str = ""
    cpu_class: str = ""
    architecture: str = ""
    cores: int = 1
    runtime_version: str = ""
    splits: tuple[int, ...] = ()
    meter_interval_s: float = 1.0

    @property
    def capacity(self) -> int:
        """Threads that inference may use at once."""
        return self.slots * self.threads_per_slot


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeVitals:
    """One heartbeat. A reading that the node cannot take is None, never 0.

    `speed` is the present clock as a share of the highest, 1 where nothing throttles the
    node or nothing is known of it. `cordoned` is what the node itself remembers.

    `meter` is the type of its power meter, "" where it has none. `metered_j` and `metered_s`
    count what it told since the incarnation began: joules as the meter has them, and the
    seconds over which it told them. `power_w` is what it says now. `meter_fault` is why it says
    nothing, where it should.
    """

    incarnation: str
    slots_busy: int
    cpu_fraction: float
    memory_total_bytes: int
    memory_available_bytes: int
    temperature_c: float | None
    clock_hz: float | None
    batches_total: int
    rows_total: int
    failures_total: int
    digests: tuple[str, ...]
    throttle_flags: int | None = None
    speed: float = 1.0
    cordoned: bool = False
    meter: str = ""
    metered_j: float = 0.0
    metered_s: float = 0.0
    power_w: float | None = None
    meter_fault: str = ""
