"""Whatever becomes of the disk and the file, the gateway goes on and the sums are right."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_records import DIGITS, MINUTE_NS, NOON_NS, USAGE, StandingClock, asked, opened
from ledger_records import batch_record as batch
from structlog.testing import capture_logs

from farm.core.errors import ErrorCode, InternalError
from farm.core.events import EventKind, Happening
from farm.core.ledger import BatchRecord, GroupBy, Incident, IncidentKind
from farm.engine.ledger import file, waiting
from farm.engine.ledger.ledger import Ledger
from farm.engine.ledger.retention import Retention

WAIT_S = 30.0
ROUNDS = 20

KILLED = """
import sys
from pathlib import Path
from ledger_records import DIGITS, batch_record, opened
with opened(Path(sys.argv[1])) as ledger:
    told = 0
    while True:
        for n in range(50):
            ledger.batches((batch_record(batch_id=told + n),), 1)
            ledger.request(DIGITS, "id:ann", None, 0.01)
        told += 50
        assert ledger.flush(30)
        print(told, flush=True)
"""

# The kernel lets no file grow beyond the limit: a disk that is full, without root.
FULL_DISK = """
import json, resource, signal, sys
from pathlib import Path
from ledger_records import asked, batch_record, opened
from farm.engine.ledger import waiting
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
waiting._MAX_BATCHES = 4_000
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
with opened(Path(sys.argv[1])) as ledger:
    assert ledger.flush(30)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    for n in range(10):
        for _ in range(1_000):
            ledger.batches((batch_record(),), 1)
        assert ledger.flush(30)
    full = ledger.drops
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    answer = ledger.answer(asked())
    rows = sum(len(chunk) for chunk in ledger.records(0, 2**62))
print(json.dumps({
    "full": full, "drops": answer.drops, "batches": answer.figures[0].batches, "rows": rows,
    "joules": answer.figures[0].usage.joules, "incidents": [i.kind for i in answer.incidents],
}))
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def logs() -> Iterator[list[Any]]:
    with capture_logs() as captured:
        yield captured


def script(text: str, path: Path) -> "subprocess.Popen[str]":
    """Start a script that has the modules of the tests."""
    folders = os.pathsep.join((str(Path(__file__).parent), *sys.path))
    environment = {**os.environ, "PYTHONPATH": folders}
    return subprocess.Popen(
        [sys.executable, "-c", text, str(path)],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip


def said(logs: list[Any]) -> list[str]:
    return [line["event"] for line in logs]


def incidents(ledger: Ledger) -> list[Incident]:
    return list(ledger.answer(asked()).incidents)


def aside(path: Path, label: str) -> Path:
    (found,) = path.parent.glob(f"ledger.db.{label}-*Z")
    return found


def filled(path: Path, batches: int = 1, **options: Any) -> Path:
    """A ledger that was closed in peace."""
    with opened(path, **options) as ledger:
        for n in range(batches):
            ledger.batches((batch(batch_id=n),), 1)
    return path


def works(ledger: Ledger) -> bool:
    """Whether what is told now can be read, after a few rounds at most."""
    for _ in range(ROUNDS):
        ledger.batches((batch(settled_unix_ns=NOON_NS + 5 * MINUTE_NS),), 1)
        ledger.flush(WAIT_S)
        try:
            found = ledger.figures(asked(step_s=300))
            read = [r for chunk in ledger.records(NOON_NS, NOON_NS + 9 * MINUTE_NS) for r in chunk]
        except InternalError:
            continue
        if read and found and found[-1].start_unix_ns == NOON_NS + 5 * MINUTE_NS:
            return True
    return False


def test_a_gateway_that_is_killed_keeps_what_was_written_and_counts_it_once(path: Path) -> None:
    with script(KILLED, path) as gateway:
        assert gateway.stdout is not None
        told = [int(gateway.stdout.readline()) for _ in range(3)][-1]
        gateway.send_signal(signal.SIGKILL)
        gateway.communicate(timeout=WAIT_S)
    assert path.with_name("ledger.db-wal").exists()
    with opened(path) as ledger:
        (found,) = ledger.figures(asked())
        rows = sum(len(chunk) for chunk in ledger.records(0, NOON_NS + 1))
        assert found.batches == rows >= told
        assert found.usage.joules == rows * USAGE.joules
        # The same minute goes on.
        ledger.batches((batch(),), 1)
        assert ledger.figures(asked())[0].batches == rows + 1
        assert incidents(ledger) == []


def test_a_full_disk_costs_rows_and_no_sums(path: Path) -> None:
    with script(FULL_DISK, path) as gateway:
        output, _ = gateway.communicate(timeout=2 * WAIT_S)
    assert gateway.returncode == 0
    found = json.loads(output.splitlines()[-1])
    assert (found["batches"], found["joules"]) == (10_000, 80_000.0)
    assert found["full"] == found["drops"] > 0
    assert found["rows"] == 10_000 - found["drops"]
    assert set(found["incidents"]) == {"records_dropped"}


def test_a_folder_that_cannot_be_used_is_said_once_and_tried_again(
    tmp_path: Path, logs: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "_MAX_BATCHES", 2)
    blocked = tmp_path / "state"
    blocked.write_text("")
    with opened(blocked / "ledger.db") as ledger:
        for _ in range(3):
            ledger.batches((batch(),), 1)
            assert ledger.flush(WAIT_S)
        with pytest.raises(InternalError, match="cannot be read now"):
            ledger.figures(asked())
        assert said(logs).count("ledger_not_written") == 1
        assert ledger.drops == 1
        blocked.unlink()
        (found,) = ledger.figures(asked())
        assert found.batches == 3
        assert "ledger_written_again" in said(logs)
        (told,) = incidents(ledger)
        assert (told.kind, told.detail) == (
            IncidentKind.RECORDS_DROPPED,
            "records that were lost: 1",
        )
        assert sum(map(len, ledger.records(0, NOON_NS + 1))) == 2


def test_a_file_that_somebody_else_locks_is_waited_for(
    path: Path, logs: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file, "_BUSY_S", 0.01)
    with opened(path) as ledger, closing(sqlite3.connect(path, isolation_level=None)) as other:
        assert ledger.flush(WAIT_S)
        other.execute("BEGIN IMMEDIATE")
        ledger.batches((batch(),), 1)
        assert ledger.flush(WAIT_S)
        assert ledger.figures(asked()) == []
        other.execute("ROLLBACK")
        assert ledger.figures(asked())[0].batches == 1
    assert [line["reason"] for line in logs if "reason" in line] == ["database is locked"]


def test_a_bound_that_is_too_low_for_the_tables_stops_nothing(path: Path, logs: list[Any]) -> None:
    with opened(path, retention=Retention(max_bytes=4096)) as ledger:
        ledger.batches((batch(),), 1)
        assert ledger.flush(WAIT_S)
        assert ledger.answer(asked()).size_bytes < 4 << 20


def test_records_that_come_too_fast_are_dropped_and_counted(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("farm.engine.ledger.intake._MAX_RECORDS", 5)
    monkeypatch.setattr("farm.engine.ledger.intake._MAX_COUNTS", 2)
    ledger = Ledger(path, clock=StandingClock())
    for n in range(7):
        ledger.batches((batch(batch_id=n),), 1)
        ledger.request(DIGITS, f"id:{n}", None, 0.1)
    assert ledger.drops == 2 + 5
    ledger.open()
    try:
        answer = ledger.answer(asked())
        assert (answer.figures[0].batches, answer.figures[0].counts.answered) == (5, 2)
        assert answer.drops == 7
        assert [told.detail for told in answer.incidents] == ["records that were lost: 7"]
    finally:
        ledger.close()


@pytest.mark.parametrize(
    "content", [b"no ledger at all\n" * 500, b"SQLite format 3\0" + b"x" * 9000]
)
def test_a_file_that_is_garbage_is_set_aside_and_a_new_one_begun(
    path: Path, logs: list[Any], content: bytes
) -> None:
    path.write_bytes(content)
    with opened(path) as ledger:
        ledger.batches((batch(),), 1)
        assert ledger.figures(asked())[0].batches == 1
        (told,) = incidents(ledger)
    assert aside(path, "corrupt").read_bytes() == content
    assert (told.kind, told.subject) == (IncidentKind.LEDGER_SET_ASIDE, "ledger")
    assert aside(path, "corrupt").name in told.detail
    assert said(logs).count("ledger_set_aside") == 1


def test_a_ledger_of_a_newer_gateway_is_kept_for_it(path: Path) -> None:
    with closing(sqlite3.connect(filled(path))) as db:
        db.execute("PRAGMA user_version = 99")
    with opened(path) as ledger:
        ledger.batches((batch(),), 1)
        assert ledger.figures(asked())[0].batches == 1
        (told,) = incidents(ledger)
    assert "version 99" in told.detail
    with closing(sqlite3.connect(aside(path, "schema-99"))) as db:
        assert db.execute("SELECT count(*) FROM batches").fetchone() == (1,)


def test_another_programs_database_is_not_written_to(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE theirs (x)")
    before = path.read_bytes()
    with opened(path) as ledger:
        assert works(ledger)
    assert aside(path, "foreign").read_bytes() == before


def test_costs_in_two_currencies_are_never_added(path: Path) -> None:
    filled(path)
    filled(path, currency="EUR")
    filled(path, currency=None)
    with opened(path, currency="USD") as ledger:
        ledger.batches((batch(),), 1)
        answer = ledger.answer(asked())
        assert (answer.currency, answer.figures[0].batches) == ("USD", 1)
        assert "EUR" in answer.incidents[0].detail
    assert aside(path, "in-EUR").exists()


def test_a_currency_that_damage_has_spoilt_names_no_file(path: Path) -> None:
    with closing(sqlite3.connect(filled(path, currency="EUR"))) as db:
        db.execute("UPDATE about SET value = '../E' WHERE name = 'currency'")
        db.commit()
    with opened(path, currency="EUR") as ledger:
        assert works(ledger)
    assert aside(path, "corrupt").exists()


def test_a_ledger_that_is_removed_is_begun_anew(path: Path) -> None:
    with opened(path) as ledger:
        ledger.batches((batch(),), 1)
        assert ledger.flush(WAIT_S)
        for found in path.parent.iterdir():
            found.unlink()
        ledger.batches((batch(),), 1)
        assert ledger.figures(asked())[0].batches == 1


def test_a_file_that_another_gateway_put_aside_is_written_to_no_more(
    path: Path, logs: list[Any]
) -> None:
    with opened(path) as old:
        old.batches((batch(),), 1)
        assert old.flush(WAIT_S)
        kept = file.set_aside(path, "corrupt", NOON_NS)
        with opened(path) as new:
            new.batches((batch(),), 1)
            assert new.flush(WAIT_S)
            old.batches((batch(),), 1)
            assert old.figures(asked())[0].batches == 2
            new.batches((batch(),), 1)
            assert new.figures(asked())[0].batches == 3
    assert aside(path, "corrupt") == kept
    with closing(sqlite3.connect(kept)) as db:
        assert db.execute("SELECT count(*) FROM batches").fetchone() == (1,)
    assert [line["reason"] for line in logs if line["event"] == "ledger_removed"] == [
        "another is in its place"
    ]


def test_damage_that_another_gateway_deals_with_meanwhile_is_left_to_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(b"no ledger at all\n" * 500)

    def open_slowly(path: Path, **options: Any) -> sqlite3.Connection:
        monkeypatch.undo()
        try:
            return file.open_file(path, **options)
        finally:
            file.set_aside(path, "corrupt", NOON_NS)
            filled(path)

    monkeypatch.setattr("farm.engine.ledger.writer.open_file", open_slowly)
    with opened(path) as ledger:
        ledger.batches((batch(),), 1)
        assert ledger.figures(asked())[0].batches == 2
        assert incidents(ledger) == []
    assert aside(path, "corrupt").exists()


def test_all_but_the_newest_two_that_were_set_aside_are_removed(
    path: Path, logs: list[Any]
) -> None:
    theirs = [
        path.with_name(f"ledger.db.{name}")
        for name in ("foreign-20260101T000000.000000Z", "corrupt-by-me", "corrupt-wal")
    ]
    for each in theirs:
        each.write_text("")
    clock = StandingClock()
    asides = []
    # The last one is of a board whose clock has not been set yet.
    for at in (NOON_NS, NOON_NS + 1_000_000, NOON_NS + 2_000_000, MINUTE_NS):
        path.write_bytes(b"no ledger at all\n" * 500)
        clock.now_ns = at
        before = set(path.parent.glob("ledger.db.corrupt-*Z"))
        with opened(path, clock=clock) as ledger:
            assert works(ledger)
        (new,) = set(path.parent.glob("ledger.db.corrupt-*Z")) - before
        new.with_name(f"{new.name}-wal").write_bytes(b"its log")
        asides.append(new)
    left = set(path.parent.glob("ledger.db.*"))
    with_them = {each.with_name(f"{each.name}-wal") for each in asides[2:]}
    assert left == {*theirs, *asides[2:], *with_them}
    removed = [line["path"] for line in logs if line["event"] == "ledger_aside_removed"]
    assert removed == [str(each) for each in asides[:2]]


def test_batches_that_cannot_be_made_do_not_keep_the_others_out(
    path: Path, logs: list[Any]
) -> None:
    def made() -> Iterator[BatchRecord]:
        yield batch(batch_id=2)
        raise KeyError("pi-1")

    ledger = Ledger(path, clock=StandingClock())
    ledger.batches((batch(batch_id=1),), 1)
    ledger.batches(made(), 4)
    ledger.batches((batch(batch_id=3),), 1)
    ledger.request(DIGITS, "id:ann", None, 0.1)
    ledger.open()
    try:
        answer = ledger.answer(asked())
        assert (answer.figures[0].batches, answer.figures[0].counts.answered) == (3, 1)
        assert answer.drops == ledger.drops == 3
        assert [told.detail for told in answer.incidents] == ["records that were lost: 3"]
        kept = [record.batch_id for chunk in ledger.records(0, NOON_NS + 1) for record in chunk]
        assert kept == [1, 2, 3]
    finally:
        ledger.close()
    assert "ledger_batches_not_made" in said(logs)


@pytest.mark.parametrize(
    "wrong", [{"outcome": "\ud800"}, {"batch_id": 1 << 70}, {"compute_s": float("nan")}]
)
def test_a_record_that_cannot_be_written_does_not_keep_the_others_out(
    path: Path, logs: list[Any], wrong: dict[str, Any]
) -> None:
    with opened(path) as ledger:
        ledger.batches((batch(**wrong),), 1)
        assert ledger.flush(WAIT_S)
        assert ledger.drops > 0
        ledger.batches((batch(),), 1)
        assert ledger.figures(asked())[0].batches == 1
    assert "ledger_records_refused" in said(logs)


def test_telling_a_ledger_that_was_never_opened_or_is_closed_raises_nothing(path: Path) -> None:
    ledger = Ledger(path, clock=StandingClock())
    ledger.close()
    ledger.batches((batch(),), 1)
    ledger.request(DIGITS, "", ErrorCode.INTERNAL, 0.0)
    assert not ledger.flush()
    assert not path.exists()


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_torn_log_loses_whole_transactions(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("torn")
    cut_off = folder / "cut-off.db"
    with opened(folder / "ledger.db") as ledger:
        for n in range(5):
            for _ in range(20):
                ledger.batches((batch(node_id=f"pi-{n}"),), 1)
            assert ledger.flush(WAIT_S)
        # As a power cut leaves them: the file is as it was, its log is written in part.
        cut_off.write_bytes((folder / "ledger.db").read_bytes())
        log = bytearray((folder / "ledger.db-wal").read_bytes())
    at = data.draw(st.integers(0, len(log)), label="at")
    log[at:] = data.draw(st.binary(max_size=64), label="garbage")
    cut_off.with_name("cut-off.db-wal").write_bytes(log)
    with opened(cut_off) as ledger:
        found = ledger.figures(asked())
        batches = found[0].batches if found else 0
        assert sum(map(len, ledger.records(0, NOON_NS + 1))) == batches
        assert batches % 20 == 0
        assert sum(figures.batches for figures in ledger.figures(asked(GroupBy.NODE))) == batches
        assert incidents(ledger) == []


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_damage_anywhere_is_survived(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = filled(tmp_path_factory.mktemp("damaged") / "ledger.db", 300)
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans(), label="truncated"):
        del content[data.draw(st.integers(0, len(content) - 1), label="length") :]
    else:
        at = data.draw(st.integers(0, len(content) - 1), label="at")
        garbage = data.draw(st.binary(min_size=1, max_size=8192), label="garbage")
        content[at : at + len(garbage)] = garbage
    path.write_bytes(content)
    with opened(path) as ledger:
        assert works(ledger)
        assert ledger.figures(asked(GroupBy.NODE)) is not None


def test_what_befalls_the_file_is_told(tmp_path: Path) -> None:
    told: list[Happening] = []
    blocked = tmp_path / "state"
    blocked.write_text("")
    with opened(blocked / "ledger.db", tell=told.append) as ledger:
        for _ in range(3):
            assert ledger.flush(WAIT_S)
        assert [each.kind for each in told] == [EventKind.LEDGER_UNWRITTEN]
        blocked.unlink()
        assert ledger.flush(WAIT_S)
        assert [each.kind for each in told[1:]] == [EventKind.LEDGER_WRITTEN]
    (blocked / "ledger.db").write_bytes(b"no database" * 1000)
    with opened(blocked / "ledger.db", tell=told.append) as ledger:
        assert ledger.flush(WAIT_S)
    assert [each.kind for each in told[2:]] == [EventKind.LEDGER_SET_ASIDE]
    assert {each.subject for each in told} == {"ledger"}
    assert str(tmp_path) not in "".join(each.detail for each in told)
