"""The gateway's metrics in Prometheus' format, in base units.

Labels are bounded: models, nodes and error codes, never anything a client chooses. A
request for a model that does not exist counts without a model.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from farm.core.energy import EnergySource
from farm.core.errors import ErrorCode
from farm.core.models import ModelKey
from farm.core.nodes import NodeState
from farm.core.requests import LedgerEntry, Receipt
from farm.core.snapshots import FarmSnapshot

# Seconds; from a tiny model on a Pi 5 to a large one on a Zero.
_LATENCY_BUCKETS = (
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0,
)  # fmt: skip
_BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answered:
    """The series of one version's answers; looking them up costs more than counting."""

    count: Counter
    latency: Histogram
    queue: Histogram


class PrometheusObserver:
    """An `Observer` that counts. One registry a gateway, so several can live in a process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._answered: dict[ModelKey, _Answered] = {}
        model = ("model", "version")
        self._requests = Counter(
            "farm_requests",
            "Requests that reached the scheduler, by outcome: ok or an error code.",
            (*model, "outcome"),
            registry=self.registry,
        )
        self._errors = Counter(
            "farm_errors",
            "Calls answered with an error, at whatever stage, by error code.",
            ("code",),
            registry=self.registry,
        )
        self._latency = Histogram(
            "farm_request_latency_seconds",
            "From arrival at the gateway to the reply, of answered requests.",
            model,
            buckets=_LATENCY_BUCKETS,
            registry=self.registry,
        )
        self._queue = Histogram(
            "farm_request_queue_seconds",
            "From arrival to dispatch to a node, of answered requests.",
            model,
            buckets=_LATENCY_BUCKETS,
            registry=self.registry,
        )
        self._batches = Counter(
            "farm_batches",
            "Batches settled, by node and outcome: completed or an error code.",
            (*model, "node", "outcome"),
            registry=self.registry,
        )
        self._rows = Histogram(
            "farm_batch_rows",
            "Rows of a batch.",
            model,
            buckets=_BATCH_BUCKETS,
            registry=self.registry,
        )
        self._compute = Counter(
            "farm_node_compute_seconds",
            "Seconds that nodes spent on completed batches.",
            (*model, "node"),
            registry=self.registry,
        )
        self._wasted = Counter(
            "farm_requests_wasted",
            "Times a request was part of a batch that ran and did not answer it.",
            model,
            registry=self.registry,
        )
        self._ejections = Counter(
            "farm_node_ejections",
            "Times a node was taken out for its failures.",
            ("node",),
            registry=self.registry,
        )

    def request_finished(
        self, model: ModelKey, code: ErrorCode | None, latency_s: float, receipt: Receipt | None
    ) -> None:
        if receipt is None:
            self._requests.labels(model.name, str(model.version), code or "ok").inc()
            return
        answered = self._answered.get(model)
        if answered is None:
            answered = self._answered[model] = self._children(model)
        answered.count.inc()
        answered.latency.observe(latency_s)
        answered.queue.observe(receipt.queue_s)

    def _children(self, model: ModelKey) -> _Answered:
        labels = (model.name, str(model.version))
        return _Answered(
            count=self._requests.labels(*labels, "ok"),
            latency=self._latency.labels(*labels),
            queue=self._queue.labels(*labels),
        )

    def error_answered(self, code: ErrorCode) -> None:
        self._errors.labels(code).inc()

    def batch_settled(self, entry: LedgerEntry) -> None:
        labels = (entry.model.name, str(entry.model.version))
        self._batches.labels(*labels, entry.node_id, entry.outcome).inc()
        self._rows.labels(*labels).observe(entry.rows)
        if entry.timing is not None:
            self._compute.labels(*labels, entry.node_id).inc(entry.compute_s)
        if entry.wasted and entry.outcome != ErrorCode.NODE_BUSY:
            self._wasted.labels(*labels).inc(entry.wasted)

    def node_ejected(self, node_id: str) -> None:
        self._ejections.labels(node_id).inc()

    def watch(self, take_snapshot: Callable[[], FarmSnapshot]) -> None:
        """Add gauges that are read from a snapshot at every scrape."""
        self.registry.register(_SnapshotCollector(take_snapshot))


class _SnapshotCollector(Collector):
    def __init__(self, take_snapshot: Callable[[], FarmSnapshot]) -> None:
        self._take_snapshot = take_snapshot

    def collect(self) -> Iterable[Metric]:
        snapshot = self._take_snapshot()
        nodes = GaugeMetricFamily("farm_nodes", "Nodes by state.", labels=("state",))
        for state in NodeState:
            nodes.add_metric((state,), sum(node.state is state for node in snapshot.nodes))
        yield nodes
        yield GaugeMetricFamily(
            "farm_batches_in_flight", "Batches at nodes.", value=snapshot.inflight_batches
        )
        queued = GaugeMetricFamily(
            "farm_queued_requests", "Requests that wait.", labels=("model", "version")
        )
        ready = GaugeMetricFamily(
            "farm_model_ready_nodes",
            "Nodes that serve a model now.",
            labels=("model", "version"),
        )
        for model in snapshot.models:
            labels = (model.key.name, str(model.key.version))
            queued.add_metric(labels, model.queued_requests)
            ready.add_metric(labels, len(model.ready_nodes))
        yield queued
        yield ready
        yield from _energy(snapshot)


def _energy(snapshot: FarmSnapshot) -> Iterable[Metric]:
    watts = GaugeMetricFamily(
        "farm_node_power_watts",
        "What a node's host draws; nodes on one host show the same.",
        labels=("node", "source"),
    )
    for node in snapshot.nodes:
        if node.power is not None:
            watts.add_metric((node.node_id, node.power.source), node.power.watts.typical)
    yield watts
    joules = CounterMetricFamily(
        "farm_energy_joules",
        "What the farm drew in windows that are closed, by where the figure comes from.",
        labels=("source",),
    )
    totals = snapshot.energy
    for source, value in (
        (EnergySource.MEASURED, totals.measured_j),
        (EnergySource.MODELLED, totals.modelled_j),
        (EnergySource.ASSUMED, totals.assumed_j),
    ):
        joules.add_metric((source,), value)
    yield joules
    if totals.cost is not None:
        cost = CounterMetricFamily(
            "farm_cost",
            "What boards and power cost in windows that are closed.",
            labels=("currency",),
        )
        cost.add_metric((totals.currency,), totals.cost)
        yield cost
