"""What is asked of a ledger's file; each answer is one short read."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

from farm.core.errors import InvalidRequestError
from farm.core.ledger import (
    BatchRecord,
    Incident,
    IncidentKind,
    LedgerFigures,
    LedgerQuery,
    RequestCounts,
    Usage,
    waste_of,
)
from farm.core.models import ModelKey
from farm.engine.ledger.retention import merged_until
from farm.engine.ledger.schema import (
    COUNT_COLUMNS,
    LATENCY_COLUMNS,
    MINUTE_NS,
    SUM_COLUMNS,
    USAGE_FIELDS,
    USAGE_KINDS,
    WORK_COLUMNS,
    total,
)

_MINUTE_S: Final = 60
_KINDS: Final = frozenset(IncidentKind)
# Groups times steps of one answer.
MAX_FIGURES: Final = 20_000
# Of the newest.
MAX_INCIDENTS: Final = 1_000

_STEP: Final = "CASE WHEN :step = 0 THEN 0 ELSE (minute - :since) / :step END"
_IN_RANGE: Final = "grouping = :group AND minute >= :since AND minute < :until"
_FIGURES: Final = (
    f"SELECT {_STEP}, key, {', '.join(map(total, SUM_COLUMNS))} FROM minutes"  # noqa: S608
    f" WHERE {_IN_RANGE} GROUP BY 1, 2 ORDER BY 1, 2 LIMIT {MAX_FIGURES + 1}"
)
_FAILURES: Final = (
    f"SELECT {_STEP}, key, code, sum(requests) FROM failures WHERE {_IN_RANGE} GROUP BY 1, 2, 3"  # noqa: S608
)
_BATCHES: Final = (
    "SELECT batches.id, settled_unix_ns, batch_id, model, version, digest, node, route, outcome,"  # noqa: S608
    f" rows, requests, wasted, queue_s, compute_s, waste, clients, {', '.join(USAGE_FIELDS)}"
    " FROM batches JOIN origins ON origins.id = origin"
    " WHERE (settled_unix_ns, batches.id) > (?, ?) AND settled_unix_ns < ?"
    " ORDER BY settled_unix_ns, batches.id LIMIT ?"
)


class Place(NamedTuple):
    """Where to go on among batches, in the order in which they are read."""

    settled_unix_ns: int
    row: int


def figures(db: sqlite3.Connection, query: LedgerQuery) -> list[LedgerFigures]:
    """Return figures by step and key, in that order; keys of which nothing is known are left out.

    Raises:
        InvalidRequestError: the query contradicts itself, or asks for too much at once.
        sqlite3.Error: the file cannot be read.
    """
    asked = _parameters(query, merged_until(db))
    rows = db.execute(_FIGURES, asked).fetchall()
    if len(rows) > MAX_FIGURES:
        raise InvalidRequestError(
            f"that is more than {MAX_FIGURES} figures; ask for longer steps or a shorter time"
        )
    failed: dict[tuple[int, str], dict[str, int]] = {}
    for step, key, code, requests in db.execute(_FAILURES, asked):
        failed.setdefault((step, key), {})[code] = requests
    return [
        _figures(
            (asked["since"] + step * asked["step"]) * MINUTE_NS,
            key,
            dict(zip(SUM_COLUMNS, sums, strict=True)),
            failed.get((step, key), {}),
        )
        for step, key, *sums in rows
    ]


def incidents(db: sqlite3.Connection, since_unix_ns: int, until_unix_ns: int) -> list[Incident]:
    """Return the newest incidents of a time, the oldest of them first.

    Raises:
        sqlite3.Error: the file cannot be read.
    """
    rows = db.execute(
        "SELECT unix_ns, kind, subject, detail FROM incidents"
        " WHERE unix_ns >= ? AND unix_ns < ? ORDER BY unix_ns DESC, id DESC LIMIT ?",
        (since_unix_ns, until_unix_ns, MAX_INCIDENTS),
    ).fetchall()
    return [
        Incident(unix_ns=at, kind=IncidentKind(kind), subject=subject, detail=detail)
        for at, kind, subject, detail in reversed(rows)
        # A newer gateway that hands over may know others.
        if kind in _KINDS
    ]


def batches(
    db: sqlite3.Connection, after: Place, until_unix_ns: int, count: int
) -> tuple[list[BatchRecord], Place | None]:
    """Return the next batches that were settled before a moment, and where to go on.

    That is None after the last one. Rows that are damaged are left out.

    Raises:
        sqlite3.Error: the file cannot be read.
    """
    rows = db.execute(_BATCHES, (*after, until_unix_ns, count)).fetchall()
    found = []
    for row in rows:
        with suppress(ValueError, TypeError):
            found.append(_batch(row))
    return found, Place(rows[-1][1], rows[-1][0]) if rows else None


def currency(db: sqlite3.Connection) -> str | None:
    """Return what the costs are in; None where nothing had a price yet.

    Raises:
        sqlite3.Error: the file cannot be read.
    """
    row = db.execute("SELECT value FROM about WHERE name = 'currency'").fetchone()
    return None if row is None else row[0]


def _parameters(query: LedgerQuery, by_hour_until: int) -> dict[str, Any]:
    if query.step_s < 0 or query.step_s % _MINUTE_S:
        raise InvalidRequestError(
            f"step_s must be 0 or a multiple of {_MINUTE_S}, for sums are kept by the minute; it"
            f" is {query.step_s}"
        )
    since = query.since_unix_ns // MINUTE_NS
    return {
        "group": query.group,
        "since": since - since % 60 if since < by_hour_until else since,
        "until": -(-query.until_unix_ns // MINUTE_NS),
        "step": query.step_s // _MINUTE_S,
    }


def _figures(
    start_unix_ns: int,
    key: str,
    sums: Mapping[str, Any],
    failed: dict[str, int],
) -> LedgerFigures:
    usage, wasted, idle = (
        Usage(**{name: sums[f"{kind}_{name}"] for name in USAGE_FIELDS}) for kind in USAGE_KINDS
    )
    counts = RequestCounts(
        **{name: sums[name] for name in COUNT_COLUMNS},
        failed=failed,
        latencies=[sums[name] for name in LATENCY_COLUMNS],
    )
    return LedgerFigures(
        start_unix_ns=start_unix_ns,
        key=key,
        **{name: sums[name] for name in WORK_COLUMNS},
        usage=usage,
        wasted=wasted,
        idle=idle,
        counts=counts,
    )


def _batch(row: Sequence[Any]) -> BatchRecord:
    (
        _, settled_unix_ns, batch_id, model, version, digest, node_id, route, outcome, rows,
        requests, wasted, queue_s, compute_s, waste, clients, *usage,
    ) = row  # fmt: skip
    return BatchRecord(
        settled_unix_ns=settled_unix_ns,
        batch_id=batch_id,
        model=ModelKey(model, version),
        digest=digest,
        node_id=node_id,
        route=route,
        outcome=outcome,
        rows=rows,
        requests=requests,
        wasted=wasted,
        queue_s=queue_s,
        compute_s=compute_s,
        waste=waste_of(json.loads(waste)),
        usage=Usage(**dict(zip(USAGE_FIELDS, usage, strict=True))),
        clients=json.loads(clients),
    )
