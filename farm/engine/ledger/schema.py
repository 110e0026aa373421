"""The tables of a ledger's file, and the statements that fill them.

`minutes` has what is asked for again and again: for each minute the sums of the whole farm, of
each model, node, route, client and kind of waste; of days ago for each hour, in its first minute.
`batches` has a row a batch, for exports; what many of them share is in `origins`. Rows of
`minutes` are added to in the transaction that writes the batches they come from: neither a crash
nor a second gateway makes anything count twice.
"""

from collections.abc import Mapping
from dataclasses import fields
from operator import attrgetter
from typing import Final

from farm.core.ledger import LATENCY_BOUNDS_S, Usage

# "FARM": tells a ledger from any other file of SQLite.
APPLICATION_ID: Final = 0x4641524D
# Raised when a table changes.
SCHEMA_VERSION: Final = 2

MINUTE_NS: Final = 60_000_000_000

USAGE_FIELDS: Final = tuple(field.name for field in fields(Usage))
# The values of those of anything that has them all.
usage_values: Final = attrgetter(*USAGE_FIELDS)
# Usage of three kinds stands side by side; money may be unknown, so it adds up differently.
USAGE_KINDS: Final = ("usage", "wasted", "idle")
_COST_COLUMNS: Final = tuple(f"{kind}_cost" for kind in USAGE_KINDS)
_POWER_COLUMNS: Final = {f"{kind}_power_cost": f"{kind}_cost" for kind in USAGE_KINDS}
COUNT_COLUMNS: Final = (
    "answered", "in_time", "late", "request_bytes", "response_bytes", "latency_s",
)  # fmt: skip
LATENCY_COLUMNS: Final = tuple(f"latency_{index}" for index in range(len(LATENCY_BOUNDS_S) + 1))
WORK_COLUMNS: Final = ("batches", "rows", "queue_s", "compute_s", "window_s")
SUM_COLUMNS: Final = (
    *WORK_COLUMNS,
    *(f"{kind}_{name}" for kind in USAGE_KINDS for name in USAGE_FIELDS),
    *COUNT_COLUMNS,
    *LATENCY_COLUMNS,
)
_WHOLE: Final = frozenset(
    {"batches", "rows", "answered", "in_time", "late", "request_bytes", "response_bytes"}
)

_MINUTE_KEY: Final = ("grouping", "minute", "key")
_ORIGIN: Final = ("model", "version", "digest", "node", "route")
_BATCH_COLUMNS: Final = (
    "settled_unix_ns", "origin", "batch_id", "outcome", "rows", "requests", "wasted", "queue_s",
    "compute_s", *USAGE_FIELDS, "clients", "waste",
)  # fmt: skip


def _sum_column(name: str) -> str:
    if name in _COST_COLUMNS:
        return f"{name} REAL"
    whole = name in _WHOLE or name in LATENCY_COLUMNS
    return f"{name} {'INTEGER' if whole else 'REAL'} NOT NULL"


# By table, the columns that came with version 2. They are its last ones: that is where SQLite puts
# them in a file that had none.
COLUMNS_OF_2: Final[Mapping[str, tuple[str, ...]]] = {
    "batches": ("power_cost REAL", "waste TEXT NOT NULL DEFAULT '{}'"),
    "minutes": tuple(f"{name} REAL" for name in _POWER_COLUMNS),
}

CREATE: Final = (
    "CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE origins (id INTEGER PRIMARY KEY, model TEXT NOT NULL, version INTEGER NOT NULL,"
    " digest TEXT NOT NULL, node TEXT NOT NULL, route TEXT NOT NULL,"
    f" UNIQUE ({', '.join(_ORIGIN)}))",
    "CREATE TABLE batches (id INTEGER PRIMARY KEY, settled_unix_ns INTEGER NOT NULL,"
    " origin INTEGER NOT NULL REFERENCES origins, batch_id INTEGER NOT NULL,"
    " outcome TEXT NOT NULL, rows INTEGER NOT NULL, requests INTEGER NOT NULL,"
    " wasted INTEGER NOT NULL, queue_s REAL NOT NULL, compute_s REAL NOT NULL,"
    f" {', '.join(f'{name} REAL' for name in USAGE_FIELDS if name != 'power_cost')},"
    f" clients TEXT NOT NULL, {', '.join(COLUMNS_OF_2['batches'])})",
    "CREATE INDEX batches_by_time ON batches (settled_unix_ns)",
    "CREATE TABLE minutes (grouping TEXT NOT NULL, minute INTEGER NOT NULL, key TEXT NOT NULL,"
    f" {', '.join(_sum_column(name) for name in SUM_COLUMNS if name not in _POWER_COLUMNS)},"
    f" {', '.join(COLUMNS_OF_2['minutes'])},"
    f" PRIMARY KEY ({', '.join(_MINUTE_KEY)})) WITHOUT ROWID",
    "CREATE TABLE failures (grouping TEXT NOT NULL, minute INTEGER NOT NULL, key TEXT NOT NULL,"
    " code TEXT NOT NULL, requests INTEGER NOT NULL,"
    f" PRIMARY KEY ({', '.join(_MINUTE_KEY)}, code)) WITHOUT ROWID",
    "CREATE TABLE incidents (id INTEGER PRIMARY KEY, unix_ns INTEGER NOT NULL,"
    " kind TEXT NOT NULL, subject TEXT NOT NULL, detail TEXT NOT NULL)",
    "CREATE INDEX incidents_by_time ON incidents (unix_ns)",
)


def _insert(table: str, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608


def total(name: str) -> str:
    """Return the sum of a column over rows: what went to power is known if it is of all costs."""
    if name in _POWER_COLUMNS:
        of_all = f"count({_POWER_COLUMNS[name]}) = count({name})"
        return f"CASE WHEN {of_all} THEN sum({name}) END"
    return f"sum({name})"


def _added(name: str) -> str:
    """Return what adds a row to the one that is there, in the same sense."""
    if name in _POWER_COLUMNS:
        cost = _POWER_COLUMNS[name]
        return (
            f"{name} = CASE WHEN {cost} IS NULL THEN excluded.{name}"
            f" WHEN excluded.{cost} IS NULL THEN {name} ELSE {name} + excluded.{name} END"
        )
    if name in _COST_COLUMNS:
        return f"{name} = coalesce({name} + excluded.{name}, {name}, excluded.{name})"
    return f"{name} = {name} + excluded.{name}"


INSERT_BATCH: Final = _insert("batches", _BATCH_COLUMNS)
INSERT_INCIDENT: Final = _insert("incidents", ("unix_ns", "kind", "subject", "detail"))
INSERT_ORIGIN: Final = f"{_insert('origins', _ORIGIN)} ON CONFLICT DO NOTHING"
FIND_ORIGIN: Final = (
    f"SELECT id FROM origins WHERE {' AND '.join(f'{name} = ?' for name in _ORIGIN)}"  # noqa: S608
)
ADD_MINUTE: Final = (
    f"{_insert('minutes', (*_MINUTE_KEY, *SUM_COLUMNS))}"
    f" ON CONFLICT ({', '.join(_MINUTE_KEY)}) DO UPDATE SET {', '.join(map(_added, SUM_COLUMNS))}"
)
_OF_HOUR: Final = "grouping = :group AND minute > :hour AND minute < :hour + 60"
# What a group has after the first minute of an hour is added to that minute, and goes.
MERGE_HOUR: Final = tuple(
    statement
    for table, keys, sums in (
        ("minutes", ("key",), SUM_COLUMNS),
        ("failures", ("key", "code"), ("requests",)),
    )
    for statement in (
        f"INSERT INTO {table} (grouping, minute, {', '.join((*keys, *sums))})"  # noqa: S608
        f" SELECT grouping, :hour, {', '.join(keys)}, {', '.join(map(total, sums))}"
        f" FROM {table} WHERE {_OF_HOUR} GROUP BY {', '.join(keys)}"
        f" ON CONFLICT (grouping, minute, {', '.join(keys)})"
        f" DO UPDATE SET {', '.join(map(_added, sums))}",
        f"DELETE FROM {table} WHERE {_OF_HOUR}",  # noqa: S608
    )
)
ADD_FAILURES: Final = (
    f"{_insert('failures', (*_MINUTE_KEY, 'code', 'requests'))}"
    f" ON CONFLICT ({', '.join(_MINUTE_KEY)}, code)"
    " DO UPDATE SET requests = requests + excluded.requests"
)
