"""What is shown gets into files that programs can read and nobody else."""

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.core.errors import ConfigurationError
from tui.export import ExportFormat, Value, of_rows, picture, written

MOMENT = datetime(2026, 11, 22, 14, 3, 22, tzinfo=UTC)

values = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text())


@given(rows=st.lists(st.tuples(values, values)))
@settings(deadline=None)
def test_every_table_is_json_that_can_be_read_again(rows: list[tuple[Value, Value]]) -> None:
    document = json.loads(
        of_rows("nodes", ("a", "b"), rows).json_text(),
        parse_constant=lambda constant: pytest.fail(f"{constant} is no JSON"),
    )
    assert document["schema_version"] == 1
    assert [set(row) for row in document["nodes"]] == [{"a", "b"}] * len(rows)


@given(rows=st.lists(st.tuples(st.text(alphabet=st.characters(codec="utf-8")), st.integers())))
@settings(deadline=None)
def test_every_table_is_csv_that_can_be_read_again(rows: list[tuple[str, int]]) -> None:
    text = of_rows("nodes", ("a", "b"), rows).csv_text()
    read = list(csv.reader(io.StringIO(text, newline="")))
    assert read == [["a", "b"], *([name, str(number)] for name, number in rows)]


def test_what_is_not_known_is_empty_or_null() -> None:
    told = of_rows("nodes", ("watts", "load"), [(None, float("nan"))])
    assert told.csv_text() == "watts,load\r\n,nan\r\n"
    assert json.loads(told.json_text())["nodes"] == [{"watts": None, "load": None}]


def test_a_file_says_what_it_is_and_when_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = written(tmp_path, "events", ExportFormat.CSV, "a\n", MOMENT)
    assert path == tmp_path / "farm-events-20261122-140322.csv"
    assert path.read_text() == "a\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    paths = [
        written(tmp_path, "events", ExportFormat.JSON, str(number), MOMENT) for number in range(3)
    ]
    assert [path.name for path in paths] == [
        "farm-events-20261122-140322.json",
        "farm-events-20261122-140322-2.json",
        "farm-events-20261122-140322-3.json",
    ]
    assert [path.read_text() for path in paths] == ["0", "1", "2"]


def test_text_that_is_no_utf_8_is_written_all_the_same(tmp_path: Path) -> None:
    path = written(tmp_path, "events", ExportFormat.CSV, "pi-\udc80\n", MOMENT)
    assert path.read_text() == "pi-?\n"


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be written: No such file"):
        written(tmp_path / "none", "events", ExportFormat.CSV, "", MOMENT)


def test_a_picture_loads_nothing() -> None:
    svg = '<svg><style>@font-face { src: url("https://x/y") }\n.a {fill: #000}</style></svg>'
    assert "https" not in picture(svg)
    assert ".a {fill: #000}" in picture(svg)
