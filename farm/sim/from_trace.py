"""Turns a trace into a setup: the recorded requests over nodes with the recorded curves."""

from collections import defaultdict
from dataclasses import replace
from math import ceil, inf, log
from pathlib import Path
from statistics import median, quantiles

from farm.core.errors import ConfigurationError
from farm.core.models import DynamicBatching, LatencyCurve, ModelKey, ModelSpec
from farm.core.tensors import Datatype, Tensor, TensorSpec
from farm.scheduling.events import NodeChanged
from farm.scheduling.limits import SchedulingLimits
from farm.sim.setup import Arrival, FaultKind, FaultPlan, LinkPlan, NodePlan, RequestPlan, Setup
from farm.sim.traces import (
    BatchEntry,
    Curves,
    ModelChangedEntry,
    NodeChangedEntry,
    NodeJoinedEntry,
    NodeLostEntry,
    ReplyEntry,
    RequestEntry,
    read_trace,
)
from farm.sim.workload import ReplayPlan, Until

# What a node without any measured batch is taken to need beside compute, both ways.
_OVERHEAD_S = 0.001

# The distance between the quartiles of a normal distribution, in standard deviations.
_QUARTILES = 1.349


class _Recording:
    """Everything of a trace, by what it is about."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.joined: dict[str, NodeJoinedEntry] = {}
        self.curves: dict[str, dict[str, LatencyCurve]] = defaultdict(dict)
        self.specs: dict[ModelKey, ModelSpec] = {}
        self.absences: list[FaultPlan] = []
        self.cordons: list[tuple[float, NodeChanged]] = []
        self.requests: list[RequestEntry] = []
        self.latencies: list[float] = []
        self.failed = 0
        self.overheads: dict[str, list[float]] = defaultdict(list)
        # Seconds over what the curve says, by node and digest.
        self.ratios: dict[tuple[str, str], list[float]] = defaultdict(list)
        batches: list[BatchEntry] = []
        down: dict[str, float] = {}
        asked: dict[int, float] = {}
        for entry in read_trace(file):
            match entry:
                case RequestEntry():
                    self.requests.append(entry)
                    asked[entry.id] = entry.at
                case ReplyEntry():
                    self._reply(entry, asked)
                case BatchEntry():
                    self._check_joined(entry)
                    batches.append(entry)
                case NodeJoinedEntry():
                    self._join(entry, down)
                case NodeLostEntry():
                    down.setdefault(entry.node, entry.at)
                case NodeChangedEntry():
                    self._change(entry)
                case ModelChangedEntry():
                    self._serve(entry)
        self.absences += [_absence(node, at, inf) for node, at in down.items()]
        for batch in batches:
            self._measure(batch)

    def _join(self, entry: NodeJoinedEntry, down: dict[str, float]) -> None:
        self.joined.setdefault(entry.node, entry)
        self._know(entry.node, entry.curves)
        lost_at = down.pop(entry.node, None)
        if lost_at is not None:
            self.absences.append(_absence(entry.node, lost_at, entry.at - lost_at))

    def _check_joined(self, entry: NodeChangedEntry | BatchEntry) -> None:
        if entry.node not in self.joined:
            raise ConfigurationError(
                f"{self.file}, line {entry.seq + 1}: node: '{entry.node}' has not joined before"
                " this line; lines were moved or changed. Record anew"
            )

    def _change(self, entry: NodeChangedEntry) -> None:
        self._check_joined(entry)
        if entry.curves is not None:
            self._know(entry.node, entry.curves)
        if entry.cordoned is not None:
            told = NodeChanged(node_id=entry.node, cordoned=entry.cordoned)
            self.cordons.append((entry.at, told))

    def _know(self, node: str, curves: Curves) -> None:
        for digest, curve in curves.items():
            if curve is not None:
                self.curves[node][digest] = LatencyCurve(curve.points, curve.threads)

    def _serve(self, entry: ModelChangedEntry) -> None:
        if entry.spec is None:
            return
        key, spec = ModelKey(entry.model, entry.version), entry.spec
        self.specs[key] = ModelSpec(
            key=key,
            digest=spec.digest,
            inputs=(TensorSpec(name="input", datatype=Datatype.UINT8, shape=(-1, -1)),),
            outputs=(TensorSpec(name="output", datatype=Datatype.UINT8, shape=(-1, 1)),),
            max_batch_size=spec.max_batch_size,
            joins=spec.joins,
            batching=DynamicBatching(
                max_queue_delay_s=spec.max_queue_delay_s,
                preferred_batch_sizes=spec.preferred_batch_sizes,
            ),
            max_instances=spec.max_instances,
        )

    def _reply(self, entry: ReplyEntry, asked: dict[int, float]) -> None:
        at = asked.pop(entry.id, None)
        if at is None:
            return
        if entry.code:
            self.failed += 1
        else:
            self.latencies.append(entry.at - at)

    def _measure(self, batch: BatchEntry) -> None:
        if batch.outcome != "completed":
            return
        # One that was sent ahead has waited at the node: not overhead.
        if batch.trigger != "lookahead":
            self.overheads[batch.node].append(batch.overhead_s)
        curve = self.curves[batch.node].get(batch.digest)
        if curve is not None and batch.compute_s > 0:
            ratio = batch.compute_s / curve.seconds(max(batch.rows, 1))
            self.ratios[batch.node, batch.digest].append(ratio)


def setup_of_trace(
    file: Path,
    *,
    seed: int,
    limits: SchedulingLimits,
    until: Until,
    warmup_s: float = 0.0,
    settle_s: float = 90.0,
    faults: tuple[FaultPlan, ...] = (),
) -> Setup:
    """Return what a trace holds: nodes that stay away when they did, requests, cordons.

    A node's curves are the last recorded ones, times the median of what its batches took
    over them; batches vary as they did. Its link takes what batches took beside compute,
    drawn by lot from all that were recorded.

    Raises:
        ConfigurationError: the trace is damaged, or holds nothing that could be replayed.
    """
    recording = _Recording(file)
    served = {spec.digest for spec in recording.specs.values()}
    nodes = tuple(_node(recording, entry, served) for entry in recording.joined.values())
    if not nodes or not recording.requests:
        missing = "node_joined" if not nodes else "request"
        raise ConfigurationError(f"{file}: kind: there is no {missing} line, so nothing to replay")
    for entry in recording.requests:
        key = ModelKey(entry.model, entry.version)
        spec = recording.specs.get(key)
        if spec is not None and not any(spec.digest in node.curves for node in nodes):
            raise ConfigurationError(
                f"{file}, line {entry.seq + 1}: model: no curve of {key} was recorded on any node;"
                " record until the curves are measured"
            )
    return Setup(
        source=str(file),
        seed=seed,
        nodes=nodes,
        specs=tuple(recording.specs.values()),
        workload=ReplayPlan(_arrivals(recording), until),
        limits=limits,
        faults=(*recording.absences, *faults),
        told=tuple(recording.cordons),
        warmup_s=warmup_s,
        settle_s=settle_s,
        recorded=_recorded(recording),
    )


def _absence(node: str, at_s: float, for_s: float) -> FaultPlan:
    return FaultPlan(kind=FaultKind.DIE, node_id=node, at_s=at_s, for_s=for_s)


def _node(recording: _Recording, entry: NodeJoinedEntry, served: set[str]) -> NodePlan:
    node = entry.node
    curves = {
        digest: _corrected(curve, recording.ratios[node, digest])
        for digest, curve in recording.curves[node].items()
        if digest in served
    }
    overheads = recording.overheads[node] or [_OVERHEAD_S]
    least_s = min(overheads)
    spreads = [_spread(ratios) for (of, _), ratios in recording.ratios.items() if of == node]
    return NodePlan(
        node_id=node,
        board=entry.board,
        cores=entry.cores,
        slots=entry.slots,
        threads_per_slot=entry.threads_per_slot,
        lookahead=entry.lookahead,
        curves=curves,
        link=LinkPlan(
            base_s=least_s / 2,
            bytes_per_s=inf,
            delays_s=tuple(seconds - least_s for seconds in overheads),
        ),
        service_cv=max(spreads, default=0.0),
        joins_at=entry.at,
    )


def _corrected(curve: LatencyCurve, ratios: list[float]) -> LatencyCurve:
    if not ratios:
        return curve
    factor = median(ratios)
    points = tuple((rows, seconds * factor) for rows, seconds in curve.points)
    return replace(curve, points=points)


def _spread(ratios: list[float]) -> float:
    """Return the standard deviation over the mean, from the quartiles: outliers do not count."""
    if len(ratios) < 4:
        return 0.0
    low, _, high = quantiles(ratios, n=4)
    return log(high / low) / _QUARTILES


def _arrivals(recording: _Recording) -> list[Arrival]:
    tensors: dict[tuple[int, int], tuple[Tensor, ...]] = {}
    arrivals = []
    for entry in recording.requests:
        shape = entry.rows, entry.bytes
        if shape not in tensors:
            tensors[shape] = (_tensor(*shape),)
        plan = RequestPlan(
            model=ModelKey(entry.model, entry.version),
            inputs=tensors[shape],
            rows=entry.rows,
            priority=entry.priority,
            deadline_s=entry.deadline_s,
            queue_timeout_s=entry.queue_timeout_s,
            client=entry.client,
        )
        arrivals.append(Arrival(entry.at, plan))
    return arrivals


def _tensor(rows: int, size_bytes: int) -> Tensor:
    width = ceil(size_bytes / rows) if rows else 0
    return Tensor(
        name="input", datatype=Datatype.UINT8, shape=(rows, width), raw=bytes(rows * width)
    )


def _recorded(recording: _Recording) -> dict[str, float]:
    """Return what the real run was like, to stand beside the simulated one."""
    ordered = sorted(recording.latencies)
    found: dict[str, float] = {"answered": len(ordered), "failed": recording.failed}
    if ordered:
        for percent in (50, 90, 95, 99):
            rank = ceil(len(ordered) * percent / 100) - 1
            found[f"p{percent}_ms"] = ordered[rank] * 1e3
    return found
