"""Requests as OpenTelemetry traces, drawn from their receipts once they are over.

A trace continues its client's where the call's metadata has a W3C `traceparent`; whether it is
kept is then the client's choice, else a lot decides. Nothing is made for those that are not kept.

A kept request has the spans `infer MODEL`, in it `queue` and `batch`, and in that `compute`; one
that was sent again has a `queue` and a `batch` for each time. All lengths are measured. The
gateway and a node have no clock in common: that `compute` begins where `batch` does is assumed.
"""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

import structlog
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)
from opentelemetry.util.types import AttributeValue

from farm import __version__
from farm.core.clock import Clock
from farm.core.errors import ErrorCode
from farm.core.requests import BatchFailed, InferenceRequest, Receipt
from farm.core.text import printable

_log = structlog.get_logger()

# W3C Trace Context: version, trace, parent, flags; later versions may say more behind them.
_PARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")

# Traces a second, whatever clients choose: one takes 0.1 ms of the gateway's core (x86-64).
MOST_PER_S: Final = 100

# Spans that wait, and of them those that go out at once: with a collector that hangs, what waits
# when the gateway ends holds it up for three exports.
_QUEUED: Final = 1024
_TOGETHER: Final = 512
_EXPORT_TIMEOUT_S: Final = 3.0
_EVERY_MS: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attempt:
    """A batch that gave a request no answer, in seconds after the request arrived."""

    began_s: float
    ended_s: float
    failed: BatchFailed


class RequestTracer:
    """A `Tracer` that hands spans to a processor; `lot` returns numbers from 0 to below 1."""

    def __init__(
        self,
        processor: SpanProcessor,
        *,
        farm: str,
        sample_ratio: float,
        clock: Clock,
        lot: Callable[[], float] | None = None,
    ) -> None:
        """Begin to trace; of requests without a `traceparent` so large a share is kept."""
        resource = Resource({"service.name": farm, "service.version": __version__})
        self._provider = TracerProvider(
            sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("bramble-farm", __version__)
        self._sample_ratio = sample_ratio
        self._clock = clock
        self._lot = lot or Random().random  # noqa: S311 - decides nothing but what is looked at
        # Of requests that wait: what they were part of in vain.
        self._attempts: dict[int, list[_Attempt]] = {}
        self._second = 0.0
        self._kept = 0

    def attempt_failed(
        self, request: InferenceRequest, failed: BatchFailed, *, began_at: float, ended_at: float
    ) -> None:
        attempt = _Attempt(
            began_s=began_at - request.arrived_at,
            ended_s=ended_at - request.arrived_at,
            failed=failed,
        )
        self._attempts.setdefault(request.id, []).append(attempt)

    def request_ended(
        self,
        request: InferenceRequest,
        code: ErrorCode | None,
        receipt: Receipt | None,
        latency_s: float,
    ) -> None:
        attempts = self._attempts.pop(request.id, ())
        parent = parent_of(request.trace_parent) if request.trace_parent else None
        kept = self._lot() < self._sample_ratio if parent is None else parent.trace_flags.sampled
        if kept and self._has_room():
            self._draw(request, code, receipt, parent, latency_s, attempts)

    def close(self) -> None:
        """Export what waits, for 9 s at most, and end."""
        self._provider.shutdown()

    def _has_room(self) -> bool:
        now = self._clock.monotonic()
        if now - self._second >= 1.0:
            self._second, self._kept = now, 0
        self._kept += 1
        return self._kept <= MOST_PER_S

    def _draw(
        self,
        request: InferenceRequest,
        code: ErrorCode | None,
        receipt: Receipt | None,
        parent: SpanContext | None,
        latency_s: float,
        attempts: Sequence[_Attempt],
    ) -> None:
        ends = self._clock.unix_ns()
        begins = ends - round(latency_s * 1e9)
        span = self._tracer.start_span(
            f"infer {request.model.name}",
            context=_within(None if parent is None else NonRecordingSpan(parent)),
            kind=SpanKind.SERVER,
            start_time=begins,
            attributes=_of_request(request, code),
        )
        if code is not None:
            span.set_status(Status(StatusCode.ERROR, code))
        queued_at = begins
        for attempt in attempts:
            queued_at = self._draw_attempt(_within(span), attempt, begins, queued_at, ends)
        if receipt is not None:
            span.set_attributes(_of_receipt(receipt))
            self._draw_parts(_within(span), receipt, begins, queued_at, ends)
        span.end(ends)

    def _draw_attempt(
        self, within: Context, attempt: _Attempt, begins: int, queued_at: int, ends: int
    ) -> int:
        """Draw a batch that failed, and the time until it was sent; return when it ended."""
        sent_at = min(begins + round(attempt.began_s * 1e9), ends)
        ended_at = min(begins + round(attempt.ended_s * 1e9), ends)
        failed = attempt.failed
        facts: dict[str, AttributeValue] = {
            "farm.batch": failed.batch_id,
            "farm.node": failed.node_id,
            "farm.outcome": failed.code,
        }
        batch = self._start_batch(within, queued_at, sent_at, facts)
        batch.set_status(Status(StatusCode.ERROR, failed.code))
        batch.end(ended_at)
        return max(queued_at, ended_at)

    def _start_batch(
        self, within: Context, queued_at: int, starts: int, facts: Mapping[str, AttributeValue]
    ) -> Span:
        """Draw the time until a batch started, and return the span of the batch."""
        # One that ran beside another was not waited for.
        if starts >= queued_at:
            self._tracer.start_span("queue", context=within, start_time=queued_at).end(starts)
        return self._tracer.start_span("batch", context=within, start_time=starts, attributes=facts)

    def _draw_parts(
        self, within: Context, receipt: Receipt, begins: int, queued_at: int, ends: int
    ) -> None:
        slot_at = min(begins + round(receipt.queue_s * 1e9), ends)
        facts: dict[str, AttributeValue] = {
            "farm.batch": receipt.batch_id,
            "farm.node": receipt.node_id,
            "farm.batch_rows": receipt.batch_rows,
            "farm.threads": receipt.threads,
        }
        batch = self._start_batch(within, queued_at, slot_at, facts)
        compute_ends = min(slot_at + round(receipt.compute_s * 1e9), ends)
        compute = self._tracer.start_span("compute", context=_within(batch), start_time=slot_at)
        compute.end(compute_ends)
        batch.end(ends)


class _Told(SpanExporter):
    """An exporter whose failures are told once, in the log's own words, and its recovery."""

    def __init__(self, exporter: SpanExporter, endpoint: str) -> None:
        self._exporter = exporter
        self._endpoint = endpoint
        self._failing = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        failing = result is not SpanExportResult.SUCCESS
        if failing is not self._failing:
            self._failing = failing
            if failing:
                _log.warning("traces_not_exported", endpoint=self._endpoint)
            else:
                _log.info("traces_exported_again", endpoint=self._endpoint)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def open_tracer(*, endpoint: str, sample_ratio: float, farm: str, clock: Clock) -> RequestTracer:
    """Begin to export to an OTLP/HTTP endpoint, on a thread of its own.

    While the endpoint does not answer, spans wait in a bounded queue and the oldest are dropped.
    """
    # Its own lines would be printed raw among the gateway's.
    library = logging.getLogger("opentelemetry")
    library.addHandler(logging.NullHandler())
    library.propagate = False
    exporter = OTLPSpanExporter(endpoint=endpoint, timeout=_EXPORT_TIMEOUT_S)
    return RequestTracer(
        BatchSpanProcessor(
            # What follows may be a key.
            _Told(exporter, endpoint.partition("?")[0]),
            max_queue_size=_QUEUED,
            max_export_batch_size=_TOGETHER,
            schedule_delay_millis=_EVERY_MS,
        ),
        farm=farm,
        sample_ratio=sample_ratio,
        clock=clock,
    )


def parent_of(header: str) -> SpanContext | None:
    """Return the span that a `traceparent` names, None where it is none: then a trace begins."""
    found = _PARENT.fullmatch(header)
    if found is None:
        return None
    version, trace, span, flags, more = found.groups()
    if version == "ff" or (version == "00" and more):
        return None
    context = SpanContext(
        trace_id=int(trace, 16),
        span_id=int(span, 16),
        is_remote=True,
        trace_flags=TraceFlags(int(flags, 16)),
    )
    return context if context.is_valid else None


def _within(span: Span | None) -> Context:
    """Return the context of a span's children; without a span a trace of its own."""
    return Context() if span is None else set_span_in_context(span, Context())


def _of_request(request: InferenceRequest, code: ErrorCode | None) -> dict[str, AttributeValue]:
    return {
        "farm.model": request.model.name,
        "farm.version": request.model.version,
        "farm.rows": request.rows,
        "farm.request": request.id,
        "farm.request_id": printable(request.given_id),
        "farm.outcome": code or "ok",
    }


def _of_receipt(receipt: Receipt) -> dict[str, AttributeValue]:
    told: dict[str, AttributeValue] = {
        "farm.node": receipt.node_id,
        "farm.policy": receipt.policy,
        "farm.attempts": receipt.attempts,
    }
    if receipt.energy is not None:
        told["farm.energy_j"] = receipt.energy.joules
        told["farm.energy_source"] = receipt.energy.source
    return told
