"""What an operator is told of nodes and events, in the farm's own terms."""

from farm.client.fields import known, word
from farm.client.snapshots import of_node
from farm.core.events import FarmEvent, Severity
from farm.core.histories import HistoryPoint, LogLine
from farm.core.models import LatencyCurve, ModelKey
from farm.core.node_details import BatchInFlight, ModelOnNode, NodeDetails, NodeFailure
from farm.pb import farm_admin_pb2 as pb

_NS = 1e9


def of_event(message: pb.FarmEvent) -> FarmEvent:
    """Return an event; of a severity that is unknown here it is a warning."""
    return FarmEvent(
        number=message.number,
        unix_ns=message.unix_ns,
        kind=message.kind,
        severity=word(message.severity, Severity.WARNING),
        subject=message.subject,
        detail=message.detail,
    )


def of_point(message: pb.HistoryPoint) -> HistoryPoint:
    """Return a point of a history."""
    latency_ns = known(message, "latency_ns")
    return HistoryPoint(
        unix_ns=message.unix_ns,
        cpu_fraction=known(message, "cpu_fraction"),
        temperature_c=known(message, "temperature_c"),
        watts=known(message, "watts"),
        requests_per_s=known(message, "requests_per_s"),
        latency_s=None if latency_ns is None else latency_ns / _NS,
    )


def of_log_line(message: pb.LogLine) -> LogLine:
    """Return a line of a log."""
    return LogLine(unix_ns=message.unix_ns, level=message.level, text=message.text)


def of_details(message: pb.DescribeNodeResponse) -> NodeDetails:
    """Return a node in depth."""
    return NodeDetails(
        node=of_node(message.node),
        batches=tuple(
            BatchInFlight(
                batch_id=batch.batch_id,
                model=ModelKey(batch.model, batch.version),
                rows=batch.rows,
                requests=batch.requests,
                age_s=batch.age_ns / _NS,
                running=batch.running,
            )
            for batch in message.batches
        ),
        models=tuple(map(_on_node, message.models)),
        failures=tuple(
            NodeFailure(
                unix_ns=failure.unix_ns,
                batch_id=failure.batch_id,
                model=ModelKey(failure.model, failure.version),
                code=failure.code,
                message=failure.message,
            )
            for failure in message.failures
        ),
    )


def _on_node(message: pb.ModelOnNode) -> ModelOnNode:
    told = message.readiness
    points = tuple((point.rows, point.seconds) for point in told.curve)
    return ModelOnNode(
        model=ModelKey(message.model, message.version),
        ready=told.ready,
        reason=told.reason,
        curve=LatencyCurve(points=points) if points else None,
        correction=known(told, "correction"),
    )
