"""What a simulation found out."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from farm.sim.energy import EnergyReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Milliseconds from a request's arrival to its answer, by nearest rank; None: no answers."""

    count: int
    p50_ms: float | None = None
    p90_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    max_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeReport:
    """What a node did. `requests` are those it answered.

    `utilisation` is the share of its threads' time, `joules_per_row` modelled from the
    board's power, idle time included, None where it has no model or ran nothing.
    """

    node: str
    board: str
    requests: int
    batches: int
    rows: int
    utilisation: float
    ejections: int
    replacements: int
    joules_per_row: float | None

    @property
    def mean_rows(self) -> float:
        """Rows of a batch, on average."""
        return self.rows / self.batches if self.batches else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The whole farm under one scheduler.

    Every offered request was refused at once or accepted; every accepted one was answered
    in time, failed (an error, or an answer past its deadline) or, when time was up, `lost`:
    without any reply. `rows_per_s` counts answers between the warm-up and the last arrival;
    `capacity_rows_per_s` is what the boards can do together. `wasted_rows` ran in batches
    that nobody got an answer from; `energy` is None where a board has no power model. A kind
    of request is its model and its client. `recorded` is what a trace says of the real run.
    """

    policy: str
    seed: int
    ended_at_s: float
    offered: int
    accepted: int
    answered: int
    refused: Mapping[str, int]
    failed: Mapping[str, int]
    lost: int
    rows_per_s: float
    capacity_rows_per_s: float | None
    latency: Latency
    latency_by_kind: Mapping[str, Latency]
    retries: int
    hedges: int
    wasted_rows: int
    joules_per_row: float | None
    energy: EnergyReport | None
    nodes: tuple[NodeReport, ...]
    recorded: Mapping[str, float]

    @property
    def share_of_capacity(self) -> float | None:
        """Throughput over what the boards can do together."""
        if not self.capacity_rows_per_s:
            return None
        return self.rows_per_s / self.capacity_rows_per_s

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain values, figures to six digits."""
        plain: dict[str, Any] = _rounded(asdict(self))
        plain["share_of_capacity"] = _rounded(self.share_of_capacity)
        for node, found in zip(plain["nodes"], self.nodes, strict=True):
            node["mean_rows"] = _rounded(found.mean_rows)
        return plain


def _rounded(value: Any) -> Any:
    match value:
        case float():
            return float(f"{value:.6g}")
        case dict():
            return {key: _rounded(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_rounded(inner) for inner in value]
    return value
