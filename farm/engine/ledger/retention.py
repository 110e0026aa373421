"""What the ledger forgets: what is too old, and the oldest of what is too much.

A little at a time, so that records never wait long. Pages that come free are written anew
before the file grows; they are given back to the disk, which rewrites others, only when the
file is larger than it may be.
"""

import sqlite3
from dataclasses import dataclass
from typing import Final

from farm.engine.ledger.file import PAGE_BYTES, max_pages, transaction
from farm.engine.ledger.schema import MINUTE_NS

_DAY_NS: Final = 86_400_000_000_000
_DAY_MINUTES: Final = 1_440
# What is forgotten and given back at once.
_BATCHES: Final = 5_000
_PAGES: Final = 512
# Above this share of its bound a file loses its oldest rows.
_FULL: Final = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """For how many days rows are kept, and what the ledger takes on disk at most.

    Batches go after `batch_days`, sums of minutes and incidents after `minute_days`. Beyond
    `max_bytes`, of which 2 MiB are for SQLite's log, the oldest batches go first, then the
    oldest minutes.
    """

    batch_days: float = 30.0
    minute_days: float = 730.0
    max_bytes: int = 1 << 30


def forget(
    db: sqlite3.Connection, retention: Retention, *, now_unix_ns: int, is_full: bool = False
) -> bool:
    """Forget a part of what is to be forgotten; return whether there is more.

    `is_full` tells that there was no room, however small the file is.

    Raises:
        sqlite3.Error: nothing was forgotten.
    """
    with transaction(db):
        gone = _forget_batches(db, now_unix_ns - round(retention.batch_days * _DAY_NS))
        gone += _forget_minutes(db, now_unix_ns - round(retention.minute_days * _DAY_NS))
        if not gone and (is_full or _used_pages(db) > _FULL * max_pages(retention.max_bytes)):
            gone = _forget_batches(db, None) or _forget_minutes(db, None)
    if _pages(db) > max_pages(retention.max_bytes):
        db.execute(f"PRAGMA incremental_vacuum({_PAGES})").fetchall()
        return True
    return gone > 0


def _forget_batches(db: sqlite3.Connection, until_unix_ns: int | None) -> int:
    """Delete the oldest batches, those before a moment if one is given; return how many."""
    return db.execute(
        "DELETE FROM batches WHERE id IN (SELECT id FROM batches"
        " WHERE ?1 IS NULL OR settled_unix_ns < ?1 ORDER BY settled_unix_ns LIMIT ?2)",
        (until_unix_ns, _BATCHES),
    ).rowcount


def _forget_minutes(db: sqlite3.Connection, until_unix_ns: int | None) -> int:
    """Delete the oldest day of sums and incidents, likewise."""
    (oldest,) = db.execute("SELECT min(minute) FROM minutes").fetchone()
    if oldest is None:
        return 0
    until = oldest + _DAY_MINUTES
    if until_unix_ns is not None:
        until = min(until, until_unix_ns // MINUTE_NS)
    if until <= oldest:
        return 0
    gone = db.execute("DELETE FROM minutes WHERE minute < ?", (until,)).rowcount
    db.execute("DELETE FROM failures WHERE minute < ?", (until,))
    db.execute("DELETE FROM incidents WHERE unix_ns < ?", (until * MINUTE_NS,))
    return gone


def _pages(db: sqlite3.Connection) -> int:
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    return int(pages)


def _used_pages(db: sqlite3.Connection) -> int:
    (free,) = db.execute("PRAGMA freelist_count").fetchone()
    return _pages(db) - int(free)
