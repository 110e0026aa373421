"""The ledger in the messages of `farm.v1`."""

from farm.core.errors import InvalidRequestError
from farm.core.ledger import (
    LATENCY_BOUNDS_S,
    BatchRecord,
    GroupBy,
    Incident,
    LedgerAnswer,
    LedgerFigures,
    LedgerQuery,
    RequestCounts,
    Usage,
)
from farm.pb import farm_admin_pb2 as pb

_NS = 1_000_000_000
_BOUNDS_NS = [round(bound * _NS) for bound in LATENCY_BOUNDS_S]


def to_query(request: pb.LedgerRequest, *, now_unix_ns: int) -> LedgerQuery:
    """Return what is asked for.

    Raises:
        InvalidRequestError: there is no such group, or the time or its steps make no sense.
    """
    if request.group and request.group not in set(GroupBy):
        raise InvalidRequestError(
            f"group must be one of {', '.join(GroupBy)}, not '{request.group[:64]}'"
        )
    if request.step_ns % _NS:
        raise InvalidRequestError(f"step_ns must be whole seconds, not {request.step_ns}")
    since, until = to_time(request, now_unix_ns=now_unix_ns)
    return LedgerQuery(
        since_unix_ns=since,
        until_unix_ns=until,
        group=GroupBy(request.group) if request.group else GroupBy.TOTAL,
        step_s=request.step_ns // _NS,
    )


def to_time(
    request: pb.LedgerRequest | pb.LedgerRecordsRequest | pb.TermsRequest, *, now_unix_ns: int
) -> tuple[int, int]:
    """Return from when to when is asked, in Unix nanoseconds.

    Raises:
        InvalidRequestError: it ends before it begins.
    """
    until = request.until_unix_ns or now_unix_ns
    if request.since_unix_ns > until:
        raise InvalidRequestError(
            "the time asked for begins after its end; does the caller's clock agree with the"
            " gateway's?"
        )
    return max(request.since_unix_ns, 0), until


def to_response(answer: LedgerAnswer) -> pb.LedgerResponse:
    """Return an answer as a message."""
    return pb.LedgerResponse(
        figures=map(_figures, answer.figures),
        incidents=map(_incident, answer.incidents),
        currency=answer.currency or "",
        begins_unix_ns=answer.begins_unix_ns or 0,
        size_bytes=answer.size_bytes,
        drops=answer.drops,
        latency_bounds_ns=_BOUNDS_NS,
    )


def to_records(records: list[BatchRecord]) -> pb.LedgerRecordsResponse:
    """Return batches as a message."""
    return pb.LedgerRecordsResponse(records=map(_record, records))


def _figures(figures: LedgerFigures) -> pb.LedgerFigures:
    return pb.LedgerFigures(
        start_unix_ns=figures.start_unix_ns,
        key=figures.key,
        window_ns=round(figures.window_s * _NS),
        batches=figures.batches,
        rows=figures.rows,
        queue_ns=round(figures.queue_s * _NS),
        compute_ns=round(figures.compute_s * _NS),
        usage=_usage(figures.usage),
        wasted=_usage(figures.wasted),
        idle=_usage(figures.idle),
        counts=_counts(figures.counts),
    )


def _usage(usage: Usage) -> pb.LedgerUsage:
    return pb.LedgerUsage(
        joules=usage.joules,
        low_j=usage.low_j,
        high_j=usage.high_j,
        measured_j=usage.measured_j,
        modelled_j=usage.modelled_j,
        marginal_j=usage.marginal_j,
        node_ns=round(usage.node_s * _NS),
        reference_ns=round(usage.reference_s * _NS),
        cost=usage.cost,
        power_cost=usage.power_cost,
    )


def _counts(counts: RequestCounts) -> pb.RequestCounts:
    return pb.RequestCounts(
        answered=counts.answered,
        failed=counts.failed,
        in_time=counts.in_time,
        late=counts.late,
        request_bytes=counts.request_bytes,
        response_bytes=counts.response_bytes,
        latency_ns=round(counts.latency_s * _NS),
        latencies=counts.latencies,
    )


def _incident(incident: Incident) -> pb.Incident:
    return pb.Incident(
        unix_ns=incident.unix_ns,
        kind=incident.kind,
        subject=incident.subject,
        detail=incident.detail,
    )


def _record(record: BatchRecord) -> pb.BatchRecord:
    return pb.BatchRecord(
        settled_unix_ns=record.settled_unix_ns,
        batch_id=record.batch_id,
        model=record.model.name,
        version=record.model.version,
        digest=record.digest,
        node_id=record.node_id,
        route=record.route,
        outcome=record.outcome,
        rows=record.rows,
        requests=record.requests,
        wasted=record.wasted,
        queue_ns=round(record.queue_s * _NS),
        compute_ns=round(record.compute_s * _NS),
        usage=_usage(record.usage),
        waste={kind.value: rows for kind, rows in record.waste.items()},
        clients=record.clients,
    )
