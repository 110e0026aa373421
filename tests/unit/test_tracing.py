"""Traces of requests: what they show, whose they continue, and what reaches a collector."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from otlp_collector import running_collector
from structlog.testing import capture_logs

from farm.core.energy import EnergyReading, EnergySource
from farm.core.errors import ErrorCode
from farm.core.models import ModelKey
from farm.core.requests import BatchFailed, InferenceRequest, Receipt
from farm.tracing import MOST_PER_S, RequestTracer, _Told, open_tracer, parent_of

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED, NOT_SAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"
NOW_NS = 1_000_000_000_000

REQUEST = InferenceRequest(
    id=7, model=ModelKey("digits", 2), inputs=(), rows=3, arrived_at=0.0, given_id="order\n66"
)
RECEIPT = Receipt(
    node_id="pi-1", route="farm", digest="d", batch_rows=8, queue_s=0.002, compute_s=0.005,
    threads=1, share=0.5, attempts=2, policy="round_robin", batch_id=4711,
    batch_energy=EnergyReading(
        joules=4.0, low=3.0, high=5.0, source=EnergySource.MODELLED, window_s=1.0
    ),
)  # fmt: skip


class StoppedClock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now

    def unix_ns(self) -> int:
        return NOW_NS


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


def tracer(
    spans: InMemorySpanExporter,
    *,
    sample_ratio: float = 1.0,
    lot: float = 0.5,
    clock: StoppedClock | None = None,
) -> RequestTracer:
    return RequestTracer(
        SimpleSpanProcessor(spans),
        farm="shelf",
        sample_ratio=sample_ratio,
        clock=clock or StoppedClock(),
        lot=lambda: lot,
    )


def by_name(spans: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in spans.get_finished_spans()}


def times_ms(span: ReadableSpan) -> tuple[float, float]:
    """When a span begins and ends, in milliseconds before now."""
    assert span.start_time is not None
    assert span.end_time is not None
    return (span.start_time - NOW_NS) / 1e6, (span.end_time - NOW_NS) / 1e6


def test_an_answer_is_drawn_by_its_receipt(spans: InMemorySpanExporter) -> None:
    tracer(spans).request_ended(REQUEST, None, RECEIPT, 0.010)
    drawn = by_name(spans)
    assert {name: times_ms(span) for name, span in drawn.items()} == {
        "infer digits": (-10.0, 0.0),
        "queue": (-10.0, -8.0),
        "batch": (-8.0, 0.0),
        "compute": (-8.0, -3.0),
    }
    whole, batch = drawn["infer digits"], drawn["batch"]
    assert whole.parent is None
    assert whole.context is not None
    assert batch.context is not None
    parents = {name: span.parent.span_id for name, span in drawn.items() if span.parent is not None}
    assert parents == {
        "queue": whole.context.span_id,
        "batch": whole.context.span_id,
        "compute": batch.context.span_id,
    }
    assert len({span.context.trace_id for span in drawn.values() if span.context}) == 1


def test_spans_say_what_the_receipt_says(spans: InMemorySpanExporter) -> None:
    tracer(spans).request_ended(REQUEST, None, RECEIPT, 0.010)
    whole, batch = by_name(spans)["infer digits"], by_name(spans)["batch"]
    assert dict(whole.attributes or {}) == {
        "farm.model": "digits", "farm.version": 2, "farm.rows": 3, "farm.request": 7,
        "farm.request_id": "order\\n66", "farm.outcome": "ok", "farm.node": "pi-1",
        "farm.policy": "round_robin", "farm.attempts": 2, "farm.energy_j": 2.0,
        "farm.energy_source": "modelled",
    }  # fmt: skip
    assert dict(batch.attributes or {}) == {
        "farm.batch": 4711, "farm.node": "pi-1", "farm.batch_rows": 8, "farm.threads": 1,
    }  # fmt: skip
    assert whole.kind is SpanKind.SERVER
    assert whole.resource.attributes["service.name"] == "shelf"


def failed(batch_id: int, node_id: str) -> BatchFailed:
    return BatchFailed(
        batch_id=batch_id, node_id=node_id, incarnation="i", code=ErrorCode.NODE_LOST,
        message="it died", retryable=True,
    )  # fmt: skip


def test_each_attempt_of_a_request_that_was_sent_again_is_a_span(
    spans: InMemorySpanExporter,
) -> None:
    drawing = tracer(spans)
    drawing.attempt_failed(REQUEST, failed(1, "pi-2"), began_at=0.001, ended_at=0.003)
    drawing.attempt_failed(REQUEST, failed(2, "pi-3"), began_at=0.002, ended_at=0.004)
    drawing.request_ended(REQUEST, None, replace(RECEIPT, queue_s=0.006), 0.010)
    drawn = sorted(spans.get_finished_spans(), key=lambda span: (times_ms(span), span.name))
    assert [
        (span.name, *times_ms(span), (span.attributes or {}).get("farm.node")) for span in drawn
    ] == [
        ("queue", -10.0, -9.0, None),
        ("infer digits", -10.0, 0.0, "pi-1"),
        ("batch", -9.0, -7.0, "pi-2"),
        ("batch", -8.0, -6.0, "pi-3"),
        ("queue", -6.0, -4.0, None),
        ("batch", -4.0, 0.0, "pi-1"),
        ("compute", -4.0, 0.0, None),
    ]
    lost = drawn[2]
    assert (lost.status.status_code, lost.status.description) == (StatusCode.ERROR, "node_lost")
    drawing.request_ended(REQUEST, None, RECEIPT, 0.010)
    assert len(spans.get_finished_spans()) == 7 + 4


def test_a_request_that_failed_shows_where(spans: InMemorySpanExporter) -> None:
    drawing = tracer(spans)
    drawing.attempt_failed(REQUEST, failed(1, "pi-2"), began_at=0.001, ended_at=0.003)
    drawing.request_ended(REQUEST, ErrorCode.NODE_LOST, None, 0.003)
    assert [span.name for span in spans.get_finished_spans()] == ["queue", "batch", "infer digits"]


def test_an_error_is_one_span_with_its_code(spans: InMemorySpanExporter) -> None:
    tracer(spans).request_ended(REQUEST, ErrorCode.QUEUE_FULL, None, 0.001)
    (span,) = spans.get_finished_spans()
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "queue_full")
    assert (span.attributes or {})["farm.outcome"] == "queue_full"


def test_parts_end_with_the_whole_though_clocks_disagree(spans: InMemorySpanExporter) -> None:
    receipt = replace(RECEIPT, queue_s=0.004, compute_s=3.0)
    tracer(spans).request_ended(REQUEST, None, receipt, 0.003)
    for span in spans.get_finished_spans():
        begins, ends = times_ms(span)
        assert -3.0 <= begins <= ends <= 0.0


def test_a_clients_trace_is_continued(spans: InMemorySpanExporter) -> None:
    request = replace(REQUEST, trace_parent=SAMPLED)
    tracer(spans, sample_ratio=0.0).request_ended(request, None, RECEIPT, 0.01)
    whole = by_name(spans)["infer digits"]
    assert whole.parent is not None
    assert whole.context is not None
    assert f"{whole.context.trace_id:032x}" == TRACE
    assert f"{whole.parent.span_id:016x}" == PARENT
    assert whole.parent.is_remote


@pytest.mark.parametrize(
    ("header", "lot", "kept"),
    [
        ("", 0.09, True),
        ("", 0.11, False),
        (SAMPLED, 0.99, True),
        (NOT_SAMPLED, 0.0, False),
        ("nonsense", 0.09, True),
        ("nonsense", 0.11, False),
    ],
)
def test_the_client_chooses_else_a_lot(
    spans: InMemorySpanExporter, header: str, lot: float, kept: bool
) -> None:
    request = replace(REQUEST, trace_parent=header)
    tracer(spans, sample_ratio=0.1, lot=lot).request_ended(request, None, RECEIPT, 0.01)
    assert bool(spans.get_finished_spans()) is kept


def test_clients_that_want_all_traced_do_not_get_it(spans: InMemorySpanExporter) -> None:
    clock = StoppedClock()
    busy = tracer(spans, clock=clock)
    for _ in range(MOST_PER_S + 10):
        busy.request_ended(replace(REQUEST, trace_parent=SAMPLED), ErrorCode.CANCELLED, None, 0.01)
    assert len(spans.get_finished_spans()) == MOST_PER_S
    clock.now += 1
    busy.request_ended(REQUEST, ErrorCode.CANCELLED, None, 0.01)
    assert len(spans.get_finished_spans()) == MOST_PER_S + 1


# -- the header ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "header",
    [
        "", "00", f"00-{TRACE}-{PARENT}", f"ff-{TRACE}-{PARENT}-01", f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01", f"00-{TRACE.upper()}-{PARENT}-01", f"{SAMPLED}-more",
        f" {SAMPLED}", f"{SAMPLED}\n", f"00-{TRACE}-{PARENT}-1", "x" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_traceparent_is_taken_for_none(header: str) -> None:
    assert parent_of(header) is None


def test_a_later_version_may_say_more() -> None:
    parent = parent_of(f"01-{TRACE}-{PARENT}-01-and-more")
    assert parent is not None
    assert parent.trace_flags.sampled


@given(trace=st.integers(1, 2**128 - 1), span=st.integers(1, 2**64 - 1), flags=st.integers(0, 255))
@settings(deadline=None)
def test_every_valid_header_is_read(trace: int, span: int, flags: int) -> None:
    parent = parent_of(f"00-{trace:032x}-{span:016x}-{flags:02x}")
    assert parent is not None
    assert (parent.trace_id, parent.span_id) == (trace, span)
    assert parent.trace_flags.sampled is bool(flags & 1)


@given(header=st.text(max_size=70))
@settings(deadline=None)
def test_no_header_is_too_odd(header: str) -> None:
    parent_of(header)


# -- a collector --------------------------------------------------------------------------


def test_a_collector_gets_what_was_drawn() -> None:
    with running_collector() as collector:
        opened = open_tracer(
            endpoint=collector.endpoint, sample_ratio=1.0, farm="shelf", clock=StoppedClock()
        )
        opened.request_ended(replace(REQUEST, trace_parent=SAMPLED), None, RECEIPT, 0.01)
        # What waits goes out at the latest when it ends.
        opened.close()
        spans = collector.await_spans()
    assert {span.name for span in spans} == {"infer digits", "queue", "batch", "compute"}
    assert {span.trace_id.hex() for span in spans} == {TRACE}


def test_a_collector_that_is_away_is_told_of_once() -> None:
    results = iter(
        [SpanExportResult.SUCCESS, *[SpanExportResult.FAILURE] * 3, SpanExportResult.SUCCESS]
    )

    class Fickle(InMemorySpanExporter):
        def export(self, spans: object) -> SpanExportResult:
            return next(results)

    told = _Told(Fickle(), "http://collector/v1/traces")
    with capture_logs() as lines:
        for _ in range(5):
            told.export(())
    assert [line["event"] for line in lines] == ["traces_not_exported", "traces_exported_again"]
