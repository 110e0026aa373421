"""What the ledger's writer holds until the disk has it."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Final

from farm.core.ledger import BatchRecord, Incident, WindowRecord
from farm.engine.ledger.intake import Record, Taken
from farm.engine.ledger.schema import (
    ADD_FAILURES,
    ADD_MINUTE,
    FIND_ORIGIN,
    INSERT_BATCH,
    INSERT_INCIDENT,
    INSERT_ORIGIN,
    usage_values,
)
from farm.engine.ledger.sums import MinuteSums, Sums, accounts

_MAX_BATCHES: Final = 50_000
_MAX_SUMS: Final = 20_000
_MAX_INCIDENTS: Final = 1_000


class Waiting:
    """Batches and incidents to be written, and the sums to be added, each up to a bound.

    Sums are few, so they stay right long after batches are dropped.
    """

    def __init__(self) -> None:
        self._batches: list[BatchRecord] = []
        self._incidents: list[Incident] = []
        self._sums = MinuteSums()

    def __len__(self) -> int:
        return len(self._batches) + len(self._incidents) + len(self._sums.rows)

    def add(self, taken: Taken) -> int:
        """Take what came in; return how many records there was no room for."""
        batches = [record for record in taken.records if isinstance(record, BatchRecord)]
        windows = [record for record in taken.records if isinstance(record, WindowRecord)]
        incidents = [record for record in taken.records if isinstance(record, Incident)]
        if len(self._sums.rows) >= _MAX_SUMS:
            return len(taken.records) + len(taken.requests)
        self._sums.add_requests(taken.requests)
        self._sums.add_batches(batches)
        for window in windows:
            self._sums.add_window(window)
        dropped = _extend(self._batches, batches, _MAX_BATCHES)
        return dropped + _extend(self._incidents, incidents, _MAX_INCIDENTS)

    def note(self, incident: Incident) -> None:
        """Have an incident written, whatever else waits."""
        self._incidents.append(incident)

    def write(self, db: sqlite3.Connection) -> None:
        """Write all of it, within a transaction of the caller's.

        Raises:
            sqlite3.Error: it is to be rolled back.
        """
        origins: dict[tuple[Any, ...], int] = {}
        db.executemany(INSERT_BATCH, (_batch_row(db, origins, each) for each in self._batches))
        db.executemany(ADD_MINUTE, (_minute_row(*each) for each in self._sums.rows.items()))
        db.executemany(
            ADD_FAILURES,
            (
                (*key, str(code), requests)
                for key, sums in self._sums.rows.items()
                for code, requests in sums.counts.failed.items()
            ),
        )
        write_incidents(db, self._incidents)


def write_incidents(db: sqlite3.Connection, incidents: Iterable[Incident]) -> None:
    """Write incidents, likewise."""
    db.executemany(
        INSERT_INCIDENT,
        ((each.unix_ns, each.kind, each.subject, each.detail) for each in incidents),
    )


def _extend(kept: list[Any], records: Sequence[Record], bound: int) -> int:
    """Append what there is room for; return how many there was none for."""
    room = max(bound - len(kept), 0)
    kept.extend(records[:room])
    return len(records) - min(room, len(records))


def _batch_row(
    db: sqlite3.Connection, origins: dict[tuple[Any, ...], int], record: BatchRecord
) -> tuple[Any, ...]:
    model = record.model
    origin = (model.name, model.version, record.digest, record.node_id, record.route)
    number = origins.get(origin)
    if number is None:
        db.execute(INSERT_ORIGIN, origin)
        (number,) = db.execute(FIND_ORIGIN, origin).fetchone()
        origins[origin] = number
    return (
        record.settled_unix_ns,
        number,
        record.batch_id,
        record.outcome,
        record.rows,
        record.requests,
        record.wasted,
        record.queue_s,
        record.compute_s,
        *usage_values(record.usage),
        json.dumps(accounts(record), separators=(",", ":")),
        json.dumps(record.waste, separators=(",", ":")) if record.waste else "{}",
    )


def _minute_row(key: tuple[Any, ...], sums: Sums) -> tuple[Any, ...]:
    counts = sums.counts
    return (
        *key,
        sums.batches,
        sums.rows,
        sums.queue_s,
        sums.compute_s,
        sums.window_s,
        *usage_values(sums.usage),
        *usage_values(sums.wasted),
        *usage_values(sums.idle),
        counts.answered,
        counts.in_time,
        counts.late,
        counts.request_bytes,
        counts.response_bytes,
        counts.latency_s,
        *counts.latencies,
    )
