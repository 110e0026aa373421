"""Triton's own metrics of models, so that dashboards made for it work.

Names, labels, units and meaning are those of the metrics page of Triton's user guide. Its
counters do not end in `_total`, which this format's library would add to a counter, so they go
out untyped: to Prometheus that is the same.
"""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client.core import GaugeMetricFamily, Metric, UnknownMetricFamily
from prometheus_client.registry import Collector

from farm.core.statistics import VersionCounts

_LABELS = ("model", "version")

_COUNTERS: Mapping[str, tuple[str, Callable[[VersionCounts], int]]] = {
    "request_success": ("Requests that were answered.", lambda c: c.success),
    "request_failure": ("Requests that got an error.", lambda c: c.failure),
    "count": ("Inferences, of which a request of n rows is n.", lambda c: c.inferences),
    "exec_count": ("Batches that ran.", lambda c: c.executions),
    "request_duration_us": (
        "Microseconds from the arrival of requests to their answers.",
        lambda c: c.request_ns // 1000,
    ),
    "queue_duration_us": (
        "Microseconds that requests waited for a node.",
        lambda c: c.queue_ns // 1000,
    ),
    "compute_input_duration_us": (
        "Microseconds of requests in which nodes made arrays of bytes.",
        lambda c: c.compute_input_ns // 1000,
    ),
    "compute_infer_duration_us": (
        "Microseconds of requests in which nodes ran the model.",
        lambda c: c.compute_infer_ns // 1000,
    ),
    "compute_output_duration_us": (
        "Microseconds of requests in which nodes made bytes of arrays.",
        lambda c: c.compute_output_ns // 1000,
    ),
}


class TritonCounters(Collector):
    """`nv_inference_*` of every loaded version. `counts` is called on the scrape's thread."""

    def __init__(self, counts: Callable[[], tuple[VersionCounts, ...]]) -> None:
        self._counts = counts

    def collect(self) -> Iterable[Metric]:
        versions = self._counts()
        for name, (meaning, read) in _COUNTERS.items():
            counter = UnknownMetricFamily(f"nv_inference_{name}", meaning, labels=_LABELS)
            for version in versions:
                counter.add_metric(_labels(version), read(version))
            yield counter
        pending = GaugeMetricFamily(
            "nv_inference_pending_request_count", "Requests that wait now.", labels=_LABELS
        )
        for version in versions:
            pending.add_metric(_labels(version), version.pending)
        yield pending


def _labels(version: VersionCounts) -> tuple[str, str]:
    return version.model.name, str(version.model.version)
