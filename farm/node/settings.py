"""The bounds of one node."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """What a node is allowed. Pickled to the actor, so plain values only.

    `slots` batches run at once, each on `threads_per_slot` threads. `cache_dir` belongs
    to this node alone. `max_store_bytes` caps files on disk, `max_sessions` and
    `max_session_bytes` (of model files) the sessions in memory; a model of more bytes than
    that is refused. A trial run may take `qualify_timeout_s`, a curve about `curve_budget_s`.
    """

    node_id: str
    cache_dir: Path
    slots: int = 1
    threads_per_slot: int = 1
    max_store_bytes: int = 4 << 30
    max_sessions: int = 64
    max_session_bytes: int = 512 << 20
    qualify_timeout_s: float = 120.0
    curve_budget_s: float = 0.5
