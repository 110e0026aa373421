"""Counters and gauges after known events, read as Prometheus reads them."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from farm.core.clock import SystemClock
from farm.core.errors import ConfigurationError, ErrorCode
from farm.core.ledger import WasteKind
from farm.core.models import ModelKey, ModelState
from farm.core.nodes import NodeState
from farm.core.requests import BatchTiming, LedgerEntry, Receipt
from farm.core.snapshots import FarmSnapshot, GatewayState, ModelSnapshot, NodeSnapshot
from farm.metrics.prometheus import PrometheusObserver
from farm.metrics.server import MetricsServer

M = ModelKey("m", 3)
LABELS = {"model": "m", "version": "3"}
RECEIPT = Receipt(
    node_id="a",
    route="farm",
    digest="d",
    batch_rows=4,
    queue_s=0.003,
    compute_s=0.5,
    threads=1,
    share=1.0,
    attempts=1,
    policy="round_robin",
)


def entry(outcome: str, *, wasted: int = 0, timing: BatchTiming | None = None) -> LedgerEntry:
    return LedgerEntry(
        batch_id=1, model=M, digest="d", node_id="a", rows=4, requests=2, outcome=outcome,
        queue_s=0.1, compute_s=0.5, timing=timing, energy=None,
        wasted=wasted,
    )  # fmt: skip


def snapshot(*states: NodeState) -> FarmSnapshot:
    return FarmSnapshot(
        taken_unix_ns=0,
        farm_name="f",
        gateway_state=GatewayState.SERVING,
        nodes=tuple(
            NodeSnapshot(
                node_id=str(number), state=state, reason="", profile=None, vitals=None,
                heartbeat_age_s=None,
            )
            for number, state in enumerate(states)
        ),
        models=(
            ModelSnapshot(
                key=M, state=ModelState.READY, reason="", digest="d", max_batch_size=8,
                batching_reason="", ready_nodes=("0", "1"), queued_requests=7, requests_total=0,
                failures_total=0,
            ),
        ),
        queued_requests=7,
        inflight_batches=2,
    )  # fmt: skip


@pytest.fixture
def observer() -> PrometheusObserver:
    return PrometheusObserver()


@pytest.fixture
def server(observer: PrometheusObserver) -> Iterator[MetricsServer]:
    made = MetricsServer(observer.registry, host="127.0.0.1", port=0)
    yield made
    made.close()


def value(observer: PrometheusObserver, name: str, **labels: str) -> float | None:
    return observer.registry.get_sample_value(name, labels)


def test_answers_are_counted_and_timed(observer: PrometheusObserver) -> None:
    observer.request_finished(M, None, 0.03, RECEIPT)
    observer.request_finished(M, None, 0.4, RECEIPT)
    assert value(observer, "farm_requests_total", **LABELS, outcome="ok") == 2
    assert value(observer, "farm_request_latency_seconds_count", **LABELS) == 2
    assert value(observer, "farm_request_latency_seconds_sum", **LABELS) == pytest.approx(0.43)
    assert value(observer, "farm_request_latency_seconds_bucket", **LABELS, le="0.05") == 1
    assert value(observer, "farm_request_queue_seconds_sum", **LABELS) == pytest.approx(0.006)


def test_failures_are_counted_by_code_and_not_timed(observer: PrometheusObserver) -> None:
    observer.request_finished(M, ErrorCode.DEADLINE_EXCEEDED, 60.0, None)
    assert value(observer, "farm_requests_total", **LABELS, outcome="deadline_exceeded") == 1
    assert value(observer, "farm_requests_total", **LABELS, outcome="ok") is None
    assert value(observer, "farm_request_latency_seconds_count", **LABELS) is None


def test_errors_are_counted_without_the_model(observer: PrometheusObserver) -> None:
    for code in (ErrorCode.MODEL_NOT_FOUND, ErrorCode.QUEUE_FULL, ErrorCode.MODEL_NOT_FOUND):
        observer.error_answered(code)
    assert value(observer, "farm_errors_total", code="model_not_found") == 2
    assert value(observer, "farm_errors_total", code="queue_full") == 1


def test_batches_are_counted_by_node_and_outcome(observer: PrometheusObserver) -> None:
    timing = BatchTiming(input_ns=1, infer_ns=2, output_ns=3)
    observer.batch_settled(entry("completed", timing=timing))
    observer.batch_settled(entry("completed", timing=timing, wasted=1))
    lost_rows = {WasteKind.RETRIED: 3, WasteKind.CANCELLED: 1}
    observer.batch_settled(replace(entry("node_lost", wasted=2), waste=lost_rows))
    done = {**LABELS, "node": "a", "outcome": "completed"}
    lost = {**LABELS, "node": "a", "outcome": "node_lost"}
    assert value(observer, "farm_batches_total", **done) == 2
    assert value(observer, "farm_batches_total", **lost) == 1
    assert value(observer, "farm_batch_rows_sum", **LABELS) == 12
    assert value(observer, "farm_batch_rows_bucket", **LABELS, le="2.0") == 0
    assert value(observer, "farm_batch_rows_bucket", **LABELS, le="4.0") == 3
    # Time that a lost batch spent in flight is no compute.
    assert value(observer, "farm_node_compute_seconds_total", **LABELS, node="a") == 1.0
    assert value(observer, "farm_requests_wasted_total", **LABELS) == 3
    for kind, rows in lost_rows.items():
        assert value(observer, "farm_rows_wasted_total", **LABELS, kind=kind) == rows


def test_ejections_are_counted(observer: PrometheusObserver) -> None:
    observer.node_ejected("a")
    assert value(observer, "farm_node_ejections_total", node="a") == 1


def test_gauges_are_the_farm_at_the_moment_of_the_scrape(observer: PrometheusObserver) -> None:
    taken = [snapshot(NodeState.READY, NodeState.READY, NodeState.LOST)]
    observer.watch(lambda: taken[0], clock=SystemClock())
    states = {state: value(observer, "farm_nodes", state=state) for state in NodeState}
    assert states == dict.fromkeys(NodeState, 0) | {NodeState.READY: 2, NodeState.LOST: 1}
    assert value(observer, "farm_batches_in_flight") == 2
    assert value(observer, "farm_queued_requests", **LABELS) == 7
    assert value(observer, "farm_model_ready_nodes", **LABELS) == 2
    taken[0] = snapshot(NodeState.EJECTED)
    assert value(observer, "farm_nodes", state="ready") == 0
    assert value(observer, "farm_nodes", state="ejected") == 1


def test_answers_that_took_more_than_one_node_are_counted(observer: PrometheusObserver) -> None:
    observer.request_finished(M, None, 0.03, RECEIPT)
    assert value(observer, "farm_request_retries_total", **LABELS) is None
    observer.request_finished(M, None, 0.03, replace(RECEIPT, attempts=3))
    assert value(observer, "farm_request_retries_total", **LABELS) == 2


def test_a_retired_version_leaves_no_series(observer: PrometheusObserver) -> None:
    other = ModelKey("m", 4)
    for model in (M, other):
        observer.request_finished(model, None, 0.03, replace(RECEIPT, attempts=2))
        observer.request_finished(model, ErrorCode.NODE_LOST, 0.03, None)
        timing = BatchTiming(input_ns=1, infer_ns=2, output_ns=3)
        observer.batch_settled(replace(entry("completed", wasted=1, timing=timing), model=model))
    observer.version_retired(M)
    versions = {
        sample.labels["version"]
        for family in observer.registry.collect()
        for sample in family.samples
        if "version" in sample.labels
    }
    assert versions == {"4"}
    observer.request_finished(M, None, 0.03, RECEIPT)
    assert value(observer, "farm_requests_total", **LABELS, outcome="ok") == 1


def test_two_gateways_in_a_process_count_apart(observer: PrometheusObserver) -> None:
    other = PrometheusObserver()
    observer.node_ejected("a")
    assert value(other, "farm_node_ejections_total", node="a") is None


def test_prometheus_can_scrape(observer: PrometheusObserver, server: MetricsServer) -> None:
    observer.watch(lambda: snapshot(NodeState.READY), clock=SystemClock())
    observer.request_finished(M, None, 0.03, RECEIPT)
    with urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=10) as answer:
        assert answer.status == 200
        text = answer.read().decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert {"farm_requests", "farm_nodes", "farm_request_latency_seconds"} <= set(families)
    assert all(family.documentation for family in families.values())
    assert {f.type for f in families.values()} <= {"counter", "gauge", "histogram"}
    (ok,) = [s for s in families["farm_requests"].samples if s.name == "farm_requests_total"]
    assert (ok.labels, ok.value) == ({**LABELS, "outcome": "ok"}, 1.0)


def test_a_port_in_use_is_named(server: MetricsServer, observer: PrometheusObserver) -> None:
    with pytest.raises(
        ConfigurationError, match=f"metrics address 127.0.0.1:{server.port} cannot be bound"
    ):
        MetricsServer(observer.registry, host="127.0.0.1", port=server.port)


def test_the_newer_of_two_that_share_an_address_is_scraped(observer: PrometheusObserver) -> None:
    newer = PrometheusObserver()
    newer.node_ejected("pi-1")
    older_server = MetricsServer(observer.registry, host="127.0.0.1", port=0, shared=True)
    port = older_server.port
    newer_server = MetricsServer(newer.registry, host="127.0.0.1", port=port, shared=True)
    for _ in range(10):
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            assert 'node="pi-1"' in answer.read().decode()
    older_server.close()
    newer_server.close()


def test_a_closed_server_frees_its_port(observer: PrometheusObserver) -> None:
    first = MetricsServer(observer.registry, host="127.0.0.1", port=0)
    first.close()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", first.port), timeout=5)
    MetricsServer(observer.registry, host="127.0.0.1", port=first.port).close()
