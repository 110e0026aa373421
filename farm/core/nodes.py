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

    `incarnation` is new with every actor process. `slots` batches run at once; up to
    `lookahead` more may wait at the node, to hide the network. `cpu_class` names the
    instruction-set generation whose rounding the goldens follow.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeVitals:
    """One heartbeat. A reading that the node cannot take is None, never 0."""

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
