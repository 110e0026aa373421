"""Triton's names, as a scraper reads them."""

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from farm.core.models import ModelKey
from farm.core.statistics import VersionCounts
from farm.metrics.prometheus import PrometheusObserver

COUNTS = VersionCounts(
    model=ModelKey("m", 3), success=5, failure=2, inferences=9, executions=3, pending=4,
    request_ns=10_000_999, queue_ns=6_000_000, compute_input_ns=1_000_000,
    compute_infer_ns=2_000_000, compute_output_ns=3_000_000,
)  # fmt: skip


def test_every_version_has_tritons_metrics_under_tritons_names() -> None:
    observer = PrometheusObserver()
    observer.watch_as_triton(lambda: (COUNTS,))
    text = generate_latest(observer.registry).decode()
    shown = {
        sample.name.removeprefix("nv_inference_"): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels == {"model": "m", "version": "3"}
    }
    assert shown == {
        "request_success": 5,
        "request_failure": 2,
        "count": 9,
        "exec_count": 3,
        "request_duration_us": 10_000,
        "queue_duration_us": 6_000,
        "compute_input_duration_us": 1_000,
        "compute_infer_duration_us": 2_000,
        "compute_output_duration_us": 3_000,
        "pending_request_count": 4,
    }


def test_without_being_asked_for_they_are_not_there() -> None:
    assert "nv_" not in generate_latest(PrometheusObserver().registry).decode()
