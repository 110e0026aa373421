"""What the ledger forgets: what is too old, and the oldest of what is too much.

Before they go sums of minutes are made into sums of hours, sixty times fewer. All that happens
a little at a time, so that records never wait long. Pages that come free are written anew
before the file grows; they are given back to the disk, which rewrites others, only when the
file is larger than it may be.
"""

import sqlite3
from dataclasses import dataclass
from typing import Final

from farm.core.ledger import GroupBy
from farm.engine.ledger.file import max_pages, transaction
from farm.engine.ledger.schema import MERGE_HOUR, MINUTE_NS

_DAY_NS: Final = 86_400_000_000_000
_DAY_MINUTES: Final = 1_440
# Sums are by the minute for so long, and then by the hour.
_FINE_NS: Final = 2 * _DAY_NS
_NEVER_NS: Final = (1 << 63) - 1
# What is forgotten and given back at once.
_BATCHES: Final = 5_000
_PAGES: Final = 512
# Above this share of its bound a file loses its oldest rows.
_FULL: Final = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """For how many days rows are kept, and what the ledger takes on disk at most.

    Batches go after `batch_days`, sums and incidents after `minute_days`. Beyond `max_bytes`,
    of which 2 MiB are for SQLite's log, the oldest batches go first, then the oldest sums.
    """

    batch_days: float = 30.0
    minute_days: float = 730.0
    max_bytes: int = 1 << 30


def forget(
    db: sqlite3.Connection, retention: Retention, *, now_unix_ns: int, is_full: bool = False
) -> bool:
    """Forget a part of what is to be forgotten; return whether there may be more.

    `is_full` tells that there was no room, however small the file is.

    Raises:
        sqlite3.Error: nothing was forgotten.
    """
    with transaction(db):
        gone = _forget_batches(db, now_unix_ns - round(retention.batch_days * _DAY_NS))
        gone += _forget_minutes(db, now_unix_ns - round(retention.minute_days * _DAY_NS))
        gone += _merge_hour(db, now_unix_ns - _FINE_NS)
        if not gone and (is_full or _used_pages(db) > _FULL * max_pages(retention.max_bytes)):
            gone = _forget_batches(db, None) or _forget_minutes(db, None)
    if _pages(db) > max_pages(retention.max_bytes):
        # A statement without columns is stepped once by `execute`: one page.
        db.executescript(f"PRAGMA incremental_vacuum({_PAGES})")
        return True
    return gone > 0


def _forget_batches(db: sqlite3.Connection, until_unix_ns: int | None) -> int:
    """Delete the oldest batches, those before a moment if one is given; return how many."""
    return db.execute(
        "DELETE FROM batches WHERE id IN (SELECT id FROM batches"
        " WHERE settled_unix_ns < ? ORDER BY settled_unix_ns LIMIT ?)",
        (_NEVER_NS if until_unix_ns is None else until_unix_ns, _BATCHES),
    ).rowcount


def _forget_minutes(db: sqlite3.Connection, until_unix_ns: int | None) -> int:
    """Delete the oldest day of sums and incidents, likewise."""
    begins = begins_at(db)
    if begins is None:
        return 0
    until = begins + _DAY_MINUTES
    if until_unix_ns is not None:
        until = min(until, until_unix_ns // MINUTE_NS)
    if until <= begins:
        return 0
    gone = 0
    for table in ("minutes", "failures"):
        for group in GroupBy:
            gone += db.execute(
                f"DELETE FROM {table} WHERE grouping = ? AND minute < ?",  # noqa: S608
                (group, until),
            ).rowcount
    db.execute("DELETE FROM incidents WHERE unix_ns < ?", (until * MINUTE_NS,))
    return gone


def _merge_hour(db: sqlite3.Connection, until_unix_ns: int) -> int:
    """Merge the sums of the first hour that is by the minute still; return how many hours."""
    first = begins_at(db, after=merged_until(db))
    if first is None:
        return 0
    hour = first - first % 60
    if hour + 60 > until_unix_ns // MINUTE_NS:
        return 0
    for group in GroupBy:
        for statement in MERGE_HOUR:
            db.execute(statement, {"group": group, "hour": hour})
    db.execute("INSERT OR REPLACE INTO about VALUES ('merged_until', ?)", (str(hour + 60),))
    return 1


def merged_until(db: sqlite3.Connection) -> int:
    """Return the minute since the epoch before which sums are by the hour."""
    row = db.execute("SELECT value FROM about WHERE name = 'merged_until'").fetchone()
    return 0 if row is None else int(row[0])


def begins_at(db: sqlite3.Connection, *, after: int = 0) -> int | None:
    """Return the first minute that there are sums of, in minutes since the epoch."""
    firsts = [
        db.execute(
            "SELECT min(minute) FROM minutes WHERE grouping = ? AND minute >= ?", (group, after)
        ).fetchone()[0]
        for group in GroupBy
    ]
    return min((first for first in firsts if first is not None), default=None)


def _pages(db: sqlite3.Connection) -> int:
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    return int(pages)


def _used_pages(db: sqlite3.Connection) -> int:
    (free,) = db.execute("PRAGMA freelist_count").fetchone()
    return _pages(db) - int(free)
