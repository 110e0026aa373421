"""What a screen shows, in a file: for programs as CSV or JSON, for people as a picture."""

import csv
import io
import json
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeAlias

from farm.core.errors import ConfigurationError
from farm.core.private_files import PRIVATE

# Of the JSON documents. Keys and columns keep their meaning within a version.
SCHEMA_VERSION: Final = 1
# Files of one second that are told apart by a number.
_MOST_OF_A_SECOND: Final = 100

_WEB_FONT: Final = re.compile(r"@font-face\s*\{.*?\}", re.DOTALL)

Value: TypeAlias = str | int | float | bool | None


class ExportFormat(StrEnum):
    """As what a screen is exported; the value ends the file's name."""

    CSV = "csv"
    JSON = "json"
    SVG = "svg"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What a screen shows as a table and as JSON; `kind` is the key of the document."""

    kind: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Value]]
    document: Any

    def text(self, form: ExportFormat) -> str:
        """Return it as CSV or JSON."""
        return self.csv_text() if form is ExportFormat.CSV else self.json_text()

    def csv_text(self) -> str:
        """Return the table as CSV; what is not known is empty."""
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(self.columns)
        writer.writerows(self.rows)
        return text.getvalue()

    def json_text(self) -> str:
        """Return the document as JSON, which names its schema; what is not known is null."""
        document = {"schema_version": SCHEMA_VERSION, self.kind: self.document}
        return json.dumps(_finite(document), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def of_rows(kind: str, columns: Sequence[str], rows: Sequence[Sequence[Value]]) -> Exported:
    """Return a table whose JSON has an object a row."""
    return Exported(
        kind=kind,
        columns=columns,
        rows=rows,
        document=[dict(zip(columns, row, strict=True)) for row in rows],
    )


def picture(svg: str) -> str:
    """Return a screenshot that needs nothing from the network: with fonts of the reader's own."""
    return _WEB_FONT.sub("", svg)


def written(folder: Path, kind: str, form: ExportFormat, content: str, moment: datetime) -> Path:
    """Put an export into a new file that nobody else may read; return where it is.

    Raises:
        ConfigurationError: it cannot be written; then nothing is left of it.
    """
    stem = f"farm-{kind}-{moment:%Y%m%d-%H%M%S}"
    for number in range(1, _MOST_OF_A_SECOND):
        path = folder / f"{stem}{f'-{number}' * (number > 1)}.{form}"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
        except FileExistsError:
            continue
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from error
        try:
            # Text of a farm may hold what is no character, and is written all the same.
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace", newline="") as file:
                file.write(content)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from error
        return path
    raise ConfigurationError(f"{folder} has {stem} too often already; remove some")


def _finite(value: Any) -> Any:
    """Return a document without numbers that JSON does not know."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
