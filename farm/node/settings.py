"""The bounds of one node."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

# As many splits of a node's cores are measured: four cores have three of them.
_MAX_SPLITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterSettings:
    """What measures the power of a node's host.

    `type` is one of `farm.node.meters.selection`. `url` is of a meter in the network, `channel`
    which of its sockets, or which of several sensors. `watts_at` is where a meter of type http
    has the watts in its JSON, like `meter.0.power`. It is asked every `interval_s`; more than
    `max_w` is more than the host can draw, so that such a reading is none.
    """

    type: str
    url: str | None = None
    channel: int = 0
    watts_at: str | None = None
    interval_s: float = 1.0
    max_w: float = 1000.0

    @classmethod
    def of_message(cls, message: Mapping[str, Any]) -> Self:
        """Return the settings in a message; what only a newer gateway knows is ignored."""
        return cls(**_known(cls, message))


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """What a node is allowed.

    `slots` batches run at once, each on `threads_per_slot` threads; with `measure_splits`
    a model may share the same threads out to more batches or fewer. Behind each of its
    `capacity` threads up to `lookahead` more batches wait at the node. Inference keeps to
    `cores`, by the system's numbers, or runs on any where there are none. `cache_dir` belongs
    to this node alone. `max_store_bytes` caps files on disk, `max_sessions` and
    `max_session_bytes` (of model files) the sessions in memory; a model of more bytes than
    that is refused. A trial run may take `qualify_timeout_s`, the curve of a split about
    `curve_budget_s`. Batches come in on `batch_port`, 0 for whatever is free. With `own_cores`
    the node is alone on its machine and chooses `cores` itself. `board` is what the operator
    calls it, empty for what its firmware does. Without a `meter` the node takes one that it
    finds in its machine.
    """

    node_id: str
    cache_dir: Path
    slots: int = 1
    threads_per_slot: int = 1
    lookahead: int = 1
    measure_splits: bool = True
    cores: tuple[int, ...] = ()
    max_store_bytes: int = 4 << 30
    max_sessions: int = 64
    max_session_bytes: int = 512 << 20
    qualify_timeout_s: float = 120.0
    curve_budget_s: float = 0.5
    batch_port: int = 0
    own_cores: bool = False
    board: str = ""
    meter: MeterSettings | None = None

    def to_message(self) -> dict[str, Any]:
        """Return what a node of another version reads too."""
        return asdict(self) | {"cache_dir": str(self.cache_dir)}

    @classmethod
    def of_message(cls, message: Mapping[str, Any]) -> Self:
        """Return the settings in a message; what only a newer gateway knows is ignored."""
        known = _known(cls, message) | {"cache_dir": Path(message["cache_dir"])}
        if known.get("meter") is not None:
            known["meter"] = MeterSettings.of_message(known["meter"])
        return cls(**known)

    @property
    def splits(self) -> tuple[int, ...]:
        """Threads a batch of each split of the node's threads that is measured.

        The one that was configured comes first, then the smallest of those that leave no
        thread over.
        """
        if not self.measure_splits:
            return (self.threads_per_slot,)
        others = [
            threads
            for threads in range(1, self.capacity + 1)
            if self.capacity % threads == 0 and threads != self.threads_per_slot
        ]
        return (self.threads_per_slot, *others)[:_MAX_SPLITS]

    @property
    def capacity(self) -> int:
        """Threads that inference may use at once."""
        return self.slots * self.threads_per_slot


def _known(cls: Any, message: Mapping[str, Any]) -> dict[str, Any]:
    return {field.name: message[field.name] for field in fields(cls) if field.name in message}
