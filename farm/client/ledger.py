"""What a gateway's ledger answers, in the farm's own terms."""

from farm.client.fields import known
from farm.core.errors import UnsupportedError
from farm.core.ledger import (
    LATENCY_BOUNDS_S,
    BatchRecord,
    Incident,
    IncidentKind,
    LedgerAnswer,
    LedgerFigures,
    LedgerQuery,
    RequestCounts,
    Usage,
    waste_of,
)
from farm.core.models import ModelKey
from farm.pb import farm_admin_pb2 as pb

_NS = 1_000_000_000
_BOUNDS_NS = [round(bound * _NS) for bound in LATENCY_BOUNDS_S]
_KINDS = frozenset(IncidentKind)


def to_request(query: LedgerQuery) -> pb.LedgerRequest:
    """Return a query as a message."""
    return pb.LedgerRequest(
        since_unix_ns=query.since_unix_ns,
        until_unix_ns=query.until_unix_ns,
        group=query.group,
        step_ns=query.step_s * _NS,
    )


def of_response(response: pb.LedgerResponse) -> LedgerAnswer:
    """Return a gateway's answer; incidents of kinds that are unknown here are left out.

    Raises:
        UnsupportedError: it counts latencies in another way.
    """
    if list(response.latency_bounds_ns) != _BOUNDS_NS:
        raise UnsupportedError(
            "this gateway counts latencies by other bounds than this version of farm knows; use"
            " the version that `farm --version` names on its machine"
        )
    return LedgerAnswer(
        figures=tuple(map(_figures, response.figures)),
        incidents=tuple(
            Incident(
                unix_ns=incident.unix_ns,
                kind=IncidentKind(incident.kind),
                subject=incident.subject,
                detail=incident.detail,
            )
            for incident in response.incidents
            if incident.kind in _KINDS
        ),
        currency=response.currency or None,
        begins_unix_ns=response.begins_unix_ns or None,
        size_bytes=response.size_bytes,
        drops=response.drops,
    )


def of_record(record: pb.BatchRecord) -> BatchRecord:
    """Return one batch."""
    return BatchRecord(
        settled_unix_ns=record.settled_unix_ns,
        batch_id=record.batch_id,
        model=ModelKey(record.model, record.version),
        digest=record.digest,
        node_id=record.node_id,
        route=record.route,
        outcome=record.outcome,
        rows=record.rows,
        requests=record.requests,
        wasted=record.wasted,
        queue_s=record.queue_ns / _NS,
        compute_s=record.compute_ns / _NS,
        usage=_usage(record.usage),
        waste=waste_of(record.waste),
        clients=dict(record.clients),
    )


def _figures(figures: pb.LedgerFigures) -> LedgerFigures:
    return LedgerFigures(
        start_unix_ns=figures.start_unix_ns,
        key=figures.key,
        window_s=figures.window_ns / _NS,
        batches=figures.batches,
        rows=figures.rows,
        queue_s=figures.queue_ns / _NS,
        compute_s=figures.compute_ns / _NS,
        usage=_usage(figures.usage),
        wasted=_usage(figures.wasted),
        idle=_usage(figures.idle),
        counts=_counts(figures.counts),
    )


def _usage(usage: pb.LedgerUsage) -> Usage:
    return Usage(
        joules=usage.joules,
        low_j=usage.low_j,
        high_j=usage.high_j,
        measured_j=usage.measured_j,
        modelled_j=usage.modelled_j,
        marginal_j=usage.marginal_j,
        node_s=usage.node_ns / _NS,
        reference_s=usage.reference_ns / _NS,
        cost=known(usage, "cost"),
        power_cost=known(usage, "power_cost"),
    )


def _counts(counts: pb.RequestCounts) -> RequestCounts:
    return RequestCounts(
        answered=counts.answered,
        failed=dict(counts.failed),
        in_time=counts.in_time,
        late=counts.late,
        request_bytes=counts.request_bytes,
        response_bytes=counts.response_bytes,
        latency_s=counts.latency_ns / _NS,
        latencies=list(counts.latencies),
    )
