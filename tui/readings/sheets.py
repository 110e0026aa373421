"""What screens show as tables for programs: columns with their units, None for what is unknown."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from farm.core.events import FarmEvent
from tui.export import Exported, Value, of_rows
from tui.readings.node_history import NodeHistory
from tui.readings.reading import ModelReading, NodeReading

_NODE_COLUMNS = (
    "node", "host", "board", "state", "reason", "cordoned", "cpu_fraction", "slots", "slots_busy",
    "memory_total_bytes", "memory_available_bytes", "temperature_c", "clock_hz", "throttle_flags",
    "power_w", "power_low_w", "power_high_w", "power_source", "requests_per_s", "batch_rows",
    "batch_s", "joules_per_request", "answers_total", "failures_total", "heartbeat_age_s",
)  # fmt: skip
_MODEL_COLUMNS = (
    "model", "version", "state", "reason", "digest", "ready_nodes", "queued_requests",
    "requests_per_s", "failures_per_s", "batch_rows", "p50_s", "p95_s", "requests_total",
    "failures_total", "max_batch_size",
)  # fmt: skip
_EVENT_COLUMNS = ("number", "time", "unix_ns", "severity", "kind", "subject", "detail")
_HISTORY_COLUMNS = (
    "time", "unix_ns", "cpu_fraction", "temperature_c", "power_w", "requests_per_s", "batch_s",
)  # fmt: skip


def nodes(readings: Iterable[NodeReading]) -> Exported:
    """Return nodes and what they did lately, in the order given."""
    return of_rows("nodes", _NODE_COLUMNS, [_node(reading) for reading in readings])


def models(readings: Iterable[ModelReading]) -> Exported:
    """Return versions of models and what they did lately, in the order given."""
    return of_rows("models", _MODEL_COLUMNS, [_model(reading) for reading in readings])


def events(happened: Iterable[FarmEvent]) -> Exported:
    """Return events in the order given."""
    rows = [
        (
            event.number, _time(event.unix_ns), event.unix_ns, str(event.severity), event.kind,
            event.subject, event.detail,
        )
        for event in happened
    ]  # fmt: skip
    return of_rows("events", _EVENT_COLUMNS, rows)


def history(told: NodeHistory) -> Exported:
    """Return how a node fared, a row a moment."""
    rows = zip(
        map(_time, told.unix_ns), told.unix_ns, told.cpu_fraction, told.temperature_c, told.watts,
        told.requests_per_s, told.latency_s,
        strict=True,
    )  # fmt: skip
    return of_rows("history", _HISTORY_COLUMNS, list(rows))


def _node(reading: NodeReading) -> Sequence[Value]:
    node, rates = reading.node, reading.rates
    profile, vitals, power = node.profile, node.vitals, node.power
    return (
        node.node_id,
        profile.host if profile else None,
        profile.board if profile else None,
        str(node.state),
        node.reason,
        node.cordoned,
        vitals.cpu_fraction if vitals else None,
        profile.slots if profile else None,
        vitals.slots_busy if vitals else None,
        vitals.memory_total_bytes if vitals else None,
        vitals.memory_available_bytes if vitals else None,
        vitals.temperature_c if vitals else None,
        vitals.clock_hz if vitals else None,
        vitals.throttle_flags if vitals else None,
        power.watts.typical if power else None,
        power.watts.low if power else None,
        power.watts.high if power else None,
        str(power.source) if power else None,
        rates.requests_per_s,
        rates.batch_rows,
        rates.batch_s,
        rates.joules_per_request,
        node.work.answers_total,
        node.work.failures_total,
        node.heartbeat_age_s,
    )


def _model(reading: ModelReading) -> Sequence[Value]:
    model, rates = reading.model, reading.rates
    return (
        model.key.name,
        model.key.version,
        str(model.state),
        model.reason,
        model.digest,
        len(model.ready_nodes),
        model.queued_requests,
        rates.requests_per_s,
        rates.failures_per_s,
        rates.batch_rows,
        rates.p50_s,
        rates.p95_s,
        model.requests_total,
        model.failures_total,
        model.max_batch_size,
    )


def _time(unix_ns: int) -> str:
    """Return a moment in UTC, as ISO 8601 has it; empty for one that no calendar has."""
    try:
        return datetime.fromtimestamp(unix_ns / 1e9, UTC).isoformat(timespec="milliseconds")
    except (OverflowError, ValueError, OSError):
        return ""
