"""Tables and JSON on standard output."""

import json
import math
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from farm.core.text import printable

# Characters of a cell, of which a table folds the rest.
_CELL = 2_000

# Raised when a key of the JSON output changes its meaning.
SCHEMA_VERSION = 1


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; without a terminal it is as wide as its content."""
    # Names in it are anybody's, and mean nothing to the terminal.
    table = Table(title=Text(title), title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(Text(column), overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell, _CELL)) for cell in row))
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def print_json(kind: str, value: Any) -> None:
    """Print one JSON document that names its schema."""
    document = {"schema_version": SCHEMA_VERSION, kind: value}
    sys.stdout.write(json_text(document, indent=2, encoding=sys.stdout.encoding) + "\n")


def json_text(value: Any, *, indent: int | None = None, encoding: str | None = "utf-8") -> str:
    """Return JSON for any reader of a file in an encoding.

    What is no number, such as a division by nothing, is null: JSON has no word for it.
    """
    readable = (encoding or "").lower().replace("-", "") == "utf8"
    return json.dumps(_finite(value), indent=indent, ensure_ascii=not readable, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return value
