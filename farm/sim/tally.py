"""Counts what happens while a simulation runs."""

from array import array
from collections import Counter
from collections.abc import Mapping
from math import ceil

from farm.core.errors import ErrorCode
from farm.core.requests import Batch, InferenceRequest, LedgerEntry, Receipt
from farm.sim.energy import EnergyReport
from farm.sim.nodes import SimulatedNode
from farm.sim.report import Latency, NodeReport, Report
from farm.sim.setup import Setup


class Tally:
    """Latencies and throughput leave out what happened before `warmup_s`."""

    def __init__(self, *, warmup_s: float) -> None:
        self._warmup_s = warmup_s
        self._offered = 0
        self._answered = 0
        self._retries = 0
        self._hedges = 0
        self._wasted_rows = 0
        self._refused: Counter[ErrorCode] = Counter()
        self._failed: Counter[ErrorCode] = Counter()
        self._ejections: Counter[str] = Counter()
        self._replacements: Counter[str] = Counter()
        self._requests: Counter[str] = Counter()
        # By model and client.
        self._latencies: dict[tuple[str, str], array[float]] = {}
        # Rows answered between the warm-up and the last arrival, and those since.
        self._window_rows = 0
        self._window_ends = warmup_s
        self._rows_since = 0

    def arrived(self, now: float) -> None:
        """Count a request."""
        self._offered += 1
        if now > self._warmup_s:
            self._window_rows += self._rows_since
            self._rows_since = 0
            self._window_ends = now

    def answered(self, request: InferenceRequest, receipt: Receipt, now: float) -> None:
        """Count an answer."""
        self._answered += 1
        self._retries += receipt.attempts - 1
        self._requests[receipt.node_id] += 1
        if request.arrived_at >= self._warmup_s:
            kind = request.model.name, request.client
            known = self._latencies.get(kind)
            if known is None:
                known = self._latencies[kind] = array("d")
            known.append(now - request.arrived_at)
        if now >= self._warmup_s:
            self._rows_since += request.rows

    def refused(self, code: ErrorCode) -> None:
        """Count a request that was not let in."""
        self._refused[code] += 1

    def failed(self, code: ErrorCode) -> None:
        """Count a request that was let in and got an error, or an answer past its deadline."""
        self._failed[code] += 1

    def dispatched(self, batch: Batch) -> None:
        """Count a batch on its way to a node."""
        self._hedges += batch.trigger == "hedge"

    def settled(self, entry: LedgerEntry) -> None:
        """Count what a batch was good for."""
        if entry.requests == 0:
            self._wasted_rows += entry.rows

    def ejected(self, node_id: str) -> None:
        self._ejections[node_id] += 1

    def replaced(self, node_id: str) -> None:
        self._replacements[node_id] += 1

    def report(
        self,
        setup: Setup,
        *,
        policy: str,
        ended_at: float,
        lost: int,
        nodes: Mapping[str, SimulatedNode],
        energy: EnergyReport | None,
    ) -> Report:
        """Return everything that was counted; `lost` requests have had no reply at the end."""
        window_s = self._window_ends - self._warmup_s
        joules = {node_id: node.drawn_j(ended_at) for node_id, node in nodes.items()}
        rows = sum(node.rows for node in nodes.values())
        known = [figure for figure in joules.values() if figure is not None]
        everyone = array("d")
        for latencies in self._latencies.values():
            everyone.extend(latencies)
        return Report(
            policy=policy,
            seed=setup.seed,
            ended_at_s=ended_at,
            offered=self._offered,
            accepted=self._offered - self._refused.total(),
            answered=self._answered,
            refused={code.value: n for code, n in sorted(self._refused.items())},
            failed={code.value: n for code, n in sorted(self._failed.items())},
            lost=lost,
            rows_per_s=self._window_rows / window_s if window_s > 0 else 0.0,
            capacity_rows_per_s=setup.capacity_rows_per_s,
            latency=_latency(everyone),
            latency_by_kind={
                f"{model} of {client}" if client else model: _latency(latencies)
                for (model, client), latencies in sorted(self._latencies.items())
            },
            retries=self._retries,
            hedges=self._hedges,
            wasted_rows=self._wasted_rows,
            joules_per_row=sum(known) / rows if rows and len(known) == len(nodes) else None,
            energy=energy,
            nodes=tuple(
                NodeReport(
                    node=node_id,
                    board=node.plan.board,
                    requests=self._requests[node_id],
                    batches=node.batches,
                    rows=node.rows,
                    utilisation=_utilisation(node, ended_at),
                    ejections=self._ejections[node_id],
                    replacements=self._replacements[node_id],
                    joules_per_row=_per_row(joules[node_id], node.rows),
                )
                for node_id, node in nodes.items()
            ),
            recorded=setup.recorded,
        )


def _utilisation(node: SimulatedNode, seconds: float) -> float:
    """Return the share of its threads' time; 0 where everything ended in the first instant."""
    return node.busy_thread_s / (node.plan.capacity * seconds) if seconds else 0.0


def _per_row(joules: float | None, rows: int) -> float | None:
    return joules / rows if joules is not None and rows else None


def _latency(seconds: "array[float]") -> Latency:
    """Return nearest-rank percentiles."""
    ordered = sorted(seconds)
    if not ordered:
        return Latency(count=0)
    ranks = {p: ordered[ceil(len(ordered) * p / 100) - 1] * 1e3 for p in (50, 90, 95, 99, 100)}
    return Latency(
        count=len(ordered),
        p50_ms=ranks[50],
        p90_ms=ranks[90],
        p95_ms=ranks[95],
        p99_ms=ranks[99],
        max_ms=ranks[100],
    )
