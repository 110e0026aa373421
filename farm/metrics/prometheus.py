"""The gateway's metrics in Prometheus' format, in base units.

Labels are bounded: models, nodes and error codes, never anything a client chooses. A
request for a model that does not exist counts without a model. What is counted here is counted
as it happens; everything else is read from a snapshot when somebody scrapes.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector

from farm.core.clock import Clock
from farm.core.errors import ErrorCode
from farm.core.models import ModelKey
from farm.core.requests import LedgerEntry, Receipt
from farm.core.snapshots import FarmSnapshot
from farm.core.statistics import VersionCounts
from farm.metrics.farm_gauges import FarmGauges
from farm.metrics.series import VersionSeries
from farm.metrics.triton import TritonCounters

# Seconds; from a tiny model on a Pi 5 to a large one on a Zero.
_LATENCY_BUCKETS = (
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0,
)  # fmt: skip
_BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128)

_MODEL = ("model", "version")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answered:
    """The series of one version's answers; looking them up costs more than counting."""

    count: Counter
    latency: Histogram
    queue: Histogram


class PrometheusObserver:
    """An `Observer` that counts. One registry a gateway, so several can live in a process."""

    def __init__(self, node_ids: Iterable[str] = ()) -> None:
        """Begin at 0, of these nodes too: what begins at 1 shows no increase to Prometheus."""
        self.registry = CollectorRegistry()
        self._answered: dict[ModelKey, _Answered] = {}
        self._requests = VersionSeries(
            self._counter(
                "farm_requests",
                "Requests that reached the scheduler, by outcome: ok or an error code.",
                *_MODEL,
                "outcome",
            )
        )
        self._errors = self._counter(
            "farm_errors",
            "Calls answered with an error, at whatever stage, by error code.",
            "code",
        )
        self._latency = VersionSeries(
            self._histogram(
                "farm_request_latency_seconds",
                "From arrival at the gateway to the reply, of answered requests.",
                _LATENCY_BUCKETS,
            )
        )
        self._queue = VersionSeries(
            self._histogram(
                "farm_request_queue_seconds",
                "From arrival to dispatch to a node, of answered requests.",
                _LATENCY_BUCKETS,
            )
        )
        self._retries = VersionSeries(
            self._counter(
                "farm_request_retries",
                "Times that answered requests were sent to a node beyond the first.",
                *_MODEL,
            )
        )
        self._batches = VersionSeries(
            self._counter(
                "farm_batches",
                "Batches settled, by node and outcome: completed or an error code.",
                *_MODEL,
                "node",
                "outcome",
            )
        )
        self._rows = VersionSeries(
            self._histogram("farm_batch_rows", "Rows of a batch.", _BATCH_BUCKETS)
        )
        self._compute = VersionSeries(
            self._counter(
                "farm_node_compute_seconds",
                "Seconds that nodes spent on completed batches.",
                *_MODEL,
                "node",
            )
        )
        self._wasted = VersionSeries(
            self._counter(
                "farm_requests_wasted",
                "Times a request was part of a batch that ran and did not answer it.",
                *_MODEL,
            )
        )
        self._wasted_rows = VersionSeries(
            self._counter(
                "farm_rows_wasted",
                "Rows of those requests: failed, retried, hedged, cancelled or expired.",
                *_MODEL,
                "kind",
            )
        )
        self._ejections = self._counter(
            "farm_node_ejections", "Times a node was taken out for its failures.", "node"
        )
        for code in ErrorCode:
            self._errors.labels(code)
        for node_id in node_ids:
            self._ejections.labels(node_id)
        ProcessCollector(registry=self.registry)

    def request_finished(
        self, model: ModelKey, code: ErrorCode | None, latency_s: float, receipt: Receipt | None
    ) -> None:
        if receipt is None:
            self._requests.of(model, code or "ok").inc()
            return
        answered = self._answered.get(model)
        if answered is None:
            answered = self._answered[model] = self._series_of_answers(model)
        answered.count.inc()
        answered.latency.observe(latency_s)
        answered.queue.observe(receipt.queue_s)
        if receipt.attempts > 1:
            self._retries.of(model).inc(receipt.attempts - 1)

    def _series_of_answers(self, model: ModelKey) -> _Answered:
        return _Answered(
            count=self._requests.of(model, "ok"),
            latency=self._latency.of(model),
            queue=self._queue.of(model),
        )

    def error_answered(self, code: ErrorCode) -> None:
        self._errors.labels(code).inc()

    def batch_settled(self, entry: LedgerEntry) -> None:
        self._batches.of(entry.model, entry.node_id, entry.outcome).inc()
        self._rows.of(entry.model).observe(entry.rows)
        if entry.timing is not None:
            self._compute.of(entry.model, entry.node_id).inc(entry.compute_s)
        if entry.wasted and entry.outcome != ErrorCode.NODE_BUSY:
            self._wasted.of(entry.model).inc(entry.wasted)
            for kind, rows in entry.waste.items():
                self._wasted_rows.of(entry.model, kind).inc(rows)

    def node_ejected(self, node_id: str) -> None:
        self._ejections.labels(node_id).inc()

    def version_retired(self, model: ModelKey) -> None:
        self._answered.pop(model, None)
        self._requests.forget(model)
        self._latency.forget(model)
        self._queue.forget(model)
        self._retries.forget(model)
        self._batches.forget(model)
        self._rows.forget(model)
        self._compute.forget(model)
        self._wasted.forget(model)
        self._wasted_rows.forget(model)

    def watch(
        self,
        take_snapshot: Callable[[], FarmSnapshot],
        *,
        clock: Clock,
        ledger_drops: Callable[[], int | None] = lambda: None,
        unread_bytes: Callable[[], int] = lambda: 0,
    ) -> None:
        """Add what is read at every scrape; `ledger_drops` is None where no ledger is kept."""
        self.registry.register(
            FarmGauges(
                take_snapshot, clock=clock, ledger_drops=ledger_drops, unread_bytes=unread_bytes
            )
        )

    def watch_as_triton(self, counts: Callable[[], tuple[VersionCounts, ...]]) -> None:
        """Add the metrics that dashboards for Triton ask for."""
        self.registry.register(TritonCounters(counts))

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(name, meaning, labels, registry=self.registry)

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(name, meaning, _MODEL, buckets=buckets, registry=self.registry)
