"""A ledger of an older gateway is taken over, and nothing in it is lost."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from ledger_records import MINUTE_NS, NOON_NS, StandingClock, asked, opened
from ledger_records import batch_record as batch
from structlog.testing import capture_logs

from farm.core.ledger import GroupBy, LedgerFigures, Usage, WasteKind
from farm.engine.ledger.file import UnusableFileError, open_file
from farm.engine.ledger.ledger import Ledger

OLD = (Path(__file__).parent / "ledger_version_1.sql").read_text(encoding="utf-8")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(OLD)
    return path


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


def total(ledger: Ledger) -> LedgerFigures:
    (found,) = ledger.figures(asked())
    return found


def test_its_rows_are_all_there_and_new_ones_join_them(path: Path) -> None:
    with capture_logs() as logs, opened(path, currency="EUR") as ledger:
        found = total(ledger)
        assert (found.batches, found.usage.joules, found.usage.cost) == (3, 54.0, 1.75)
        assert (found.counts.answered, found.counts.failed) == (1, {"queue_full": 1})
        ledger.batches((batch(batch_id=4),), 1)
        assert total(ledger).usage.joules == 62.0
        assert [each.subject for each in ledger.answer(asked()).incidents] == ["pi-2"]
        (records,) = ledger.records(NOON_NS, NOON_NS + 2 * MINUTE_NS)
    assert [(each.batch_id, each.wasted) for each in records] == [(1, 1), (2, 4), (4, 1), (3, 0)]
    assert records[0].waste == {}
    assert records[2].waste == {WasteKind.CANCELLED: 1}
    assert logs == []
    assert [each.name for each in path.parent.iterdir()] == ["ledger.db"]


def test_what_was_wasted_is_of_no_kind_that_is_told(path: Path) -> None:
    with opened(path, currency="EUR") as ledger:
        (untold,) = ledger.figures(asked(GroupBy.WASTE))
        assert (untold.key, untold.usage.joules, untold.usage.cost) == ("untold", 10.0, 0.625)
        assert untold.usage == untold.wasted == total(ledger).wasted
        assert untold.idle == Usage()
        ledger.batches((batch(),), 1)
        kinds = {each.key: each.usage.joules for each in ledger.figures(asked(GroupBy.WASTE))}
    assert kinds == {"cancelled": 2.0, "untold": 10.0}


def test_what_went_to_electricity_is_known_of_newer_costs_alone(
    path: Path, clock: StandingClock
) -> None:
    """A sum of which a part is not known is not known."""
    power_costs: list[list[float | None]] = []
    with opened(path, clock=clock, currency="EUR") as ledger:
        for minute in (0, 2):
            ledger.batches((batch(settled_unix_ns=NOON_NS + minute * MINUTE_NS),), 1)
        for days in (0, 3):
            # By then these minutes are one hour.
            clock.now_ns = NOON_NS + days * 1440 * MINUTE_NS
            for step_s in (60, 0):
                found = ledger.figures(asked(step_s=step_s))
                power_costs.append([each.usage.power_cost for each in found])
        (records,) = ledger.records(NOON_NS, NOON_NS + 3 * MINUTE_NS)
    assert power_costs == [[None, None, 0.125], [None], [None], [None]]
    assert [each.usage.power_cost for each in records] == [None, None, 0.125, None, 0.125]


def test_an_older_gateway_that_hands_over_goes_on_writing_and_all_of_it_counts(path: Path) -> None:
    """Until it has ended nothing is added to sums that it would leave incomplete."""
    with capture_logs() as logs, opened(path, currency="EUR") as ledger:
        with closing(sqlite3.connect(path)) as older:
            older.execute("PRAGMA journal_mode = WAL")
            assert older.execute("PRAGMA user_version").fetchone() == (1,)
            ledger.batches((batch(),), 1)
            assert ledger.flush()
            assert older.execute("PRAGMA user_version").fetchone() == (1,)
            with older:
                # What it writes names the columns that it knows.
                older.execute(
                    "UPDATE minutes SET usage_joules = usage_joules + 8,"
                    " wasted_joules = wasted_joules + 2 WHERE grouping = 'total'"
                )
        kinds = {each.key: each.usage.joules for each in ledger.figures(asked(GroupBy.WASTE))}
        found = total(ledger)
    assert found.usage.joules == 54.0 + 2 * 8.0 + 8.0
    assert sum(kinds.values()) == found.wasted.joules
    assert set(kinds) == {"untold", "cancelled"}
    assert [each["event"] for each in logs] == ["ledger_not_written", "ledger_written_again"]
    assert "an older gateway has it open" in logs[0]["reason"]


def test_it_happens_once(path: Path) -> None:
    for _ in range(2):
        with opened(path, currency="EUR") as ledger:
            assert len(ledger.figures(asked(GroupBy.WASTE))) == 1


def test_it_happens_whole_or_not_at_all(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("ALTER TABLE minutes RENAME TO lost")
    with pytest.raises(UnusableFileError, match="damaged"):
        open_file(path, currency="EUR", max_bytes=1 << 30)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (1,)
        assert "waste" not in [name for _, name, *_ in db.execute("PRAGMA table_info(batches)")]
