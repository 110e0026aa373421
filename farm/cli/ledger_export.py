"""Batches of the ledger as CSV, JSON and Parquet: the same columns in each."""

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, Final, TextIO

from farm.core.errors import ConfigurationError
from farm.core.ledger import BatchRecord

# Names of the columns, and what is in them.
COLUMNS: Final[Mapping[str, type]] = {
    "settled": str,
    "settled_unix_ns": int,
    "batch_id": int,
    "model": str,
    "version": int,
    "digest": str,
    "node": str,
    "route": str,
    "outcome": str,
    "rows": int,
    "requests": int,
    "wasted": int,
    "queue_s": float,
    "compute_s": float,
    "joules": float,
    "low_j": float,
    "high_j": float,
    "measured_j": float,
    "modelled_j": float,
    "marginal_j": float,
    "node_s": float,
    "reference_s": float,
    "cost": float,
    "power_cost": float,
    "currency": str,
    "clients": str,
    "waste": str,
}

Row = dict[str, Any]

# Rows of Parquet that are compressed together.
_GROUP: Final = 50_000


def to_rows(records: Iterable[BatchRecord], currency: str | None) -> Iterator[Row]:
    """Yield records as rows; a cost is in `currency`, clients and waste are JSON."""
    for record in records:
        usage = record.usage
        settled = datetime.fromtimestamp(record.settled_unix_ns / 1e9, UTC)
        values = (
            settled.isoformat(timespec="milliseconds"), record.settled_unix_ns, record.batch_id,
            record.model.name, record.model.version, record.digest, record.node_id, record.route,
            record.outcome, record.rows, record.requests, record.wasted, record.queue_s,
            record.compute_s, usage.joules, usage.low_j, usage.high_j, usage.measured_j,
            usage.modelled_j, usage.marginal_j, usage.node_s, usage.reference_s, usage.cost,
            usage.power_cost, None if usage.cost is None else currency,
            json.dumps(dict(record.clients), sort_keys=True),
            json.dumps(dict(record.waste), sort_keys=True),
        )  # fmt: skip
        yield dict(zip(COLUMNS, values, strict=True))


def write_csv(rows: Iterable[Row], file: TextIO) -> int:
    """Write rows below a line of names; return how many. What is not known is empty."""
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    count = 0
    for row in rows:
        writer.writerow(row)
        count += 1
    return count


def write_json(rows: Iterable[Row], file: TextIO) -> int:
    """Write rows as one document that names its schema, a line each; return how many."""
    from farm.cli.tables import SCHEMA_VERSION, json_text

    file.write(f'{{"schema_version": {SCHEMA_VERSION}, "batches": [')
    count = 0
    for row in rows:
        file.write(",\n" if count else "\n")
        file.write(json_text(row, encoding=file.encoding))
        count += 1
    file.write("\n]}\n")
    return count


def write_parquet(rows: Iterable[Row], file: Path) -> int:
    """Write rows to a file of Parquet; return how many.

    Raises:
        ModuleNotFoundError: pyarrow is not installed.
    """
    # Not everybody has it, nor its types.
    pa, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    types = {int: pa.int64(), float: pa.float64(), str: pa.string()}
    schema = pa.schema([(name, types[kind]) for name, kind in COLUMNS.items()])
    left = iter(rows)
    count = 0
    with parquet.ParquetWriter(file, schema) as writer:
        while group := list(islice(left, _GROUP)):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))
            count += len(group)
    return count


@contextmanager
def completed(path: Path) -> Iterator[Path]:
    """Yield a file to write, which takes the place of `path` once all of it is there.

    What is no regular file, such as a device or a pipe, is written to as it is.

    Raises:
        ConfigurationError: it cannot be written; what was at `path` is still there.
    """
    if path.exists() and not path.is_file():
        try:
            yield path
        except OSError as error:
            raise ConfigurationError(f"--to: {path} cannot be written: {error.strerror}") from error
        return
    partial = path.with_name(f".{path.name}.partial")
    try:
        yield partial
        partial.replace(path)
    except OSError as error:
        raise ConfigurationError(f"--to: {path} cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
