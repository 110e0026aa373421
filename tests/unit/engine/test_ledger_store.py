"""What is told to a ledger is what is read from it, by whatever it is grouped."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from ledger_records import DIGITS, MINUTE_NS, NOON_NS, USAGE, StandingClock, asked, opened
from ledger_records import batch_record as batch
from structlog.testing import capture_logs

from farm.core.errors import ErrorCode, InvalidRequestError
from farm.core.ledger import (
    LATENCY_BOUNDS_S,
    GroupBy,
    Incident,
    IncidentKind,
    LedgerFigures,
    LedgerQuery,
    Usage,
    WasteKind,
    WindowRecord,
)
from farm.core.models import ModelKey
from farm.engine.ledger.ledger import CHUNK, Ledger
from farm.engine.ledger.retention import Retention

IDLE = WindowRecord(settled_unix_ns=NOON_NS, window_s=10.0, usage=Usage(joules=30.0, low_j=20.0))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "ledger.db"


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
def ledger(path: Path, clock: StandingClock) -> Iterator[Ledger]:
    with opened(path, clock=clock, currency="EUR") as ledger:
        yield ledger


def by_key(ledger: Ledger, group: GroupBy) -> dict[str, LedgerFigures]:
    return {found.key: found for found in ledger.figures(asked(group))}


def total(ledger: Ledger) -> LedgerFigures:
    (found,) = ledger.figures(asked())
    return found


def times(usage: Usage, factor: float) -> Usage:
    assert usage.cost is not None
    assert usage.power_cost is not None
    return Usage(
        joules=usage.joules * factor, low_j=usage.low_j * factor, high_j=usage.high_j * factor,
        measured_j=usage.measured_j * factor, modelled_j=usage.modelled_j * factor,
        marginal_j=usage.marginal_j * factor, node_s=usage.node_s * factor,
        cost=usage.cost * factor, power_cost=usage.power_cost * factor,
    )  # fmt: skip


def test_an_empty_ledger_has_no_figures(ledger: Ledger) -> None:
    answer = ledger.answer(asked())
    assert (answer.figures, answer.incidents, answer.begins_unix_ns) == ((), (), None)
    assert (answer.currency, answer.drops) == ("EUR", 0)
    assert answer.size_bytes > 0


def test_a_batch_counts_for_its_model_node_and_route(ledger: Ledger) -> None:
    ledger.batches((batch(),), 1)
    ledger.batches((batch(node_id="pi-2", model=ModelKey("digits", 2)),), 1)
    assert total(ledger).usage == times(USAGE, 2)
    assert total(ledger).wasted == times(USAGE, 0.5)
    assert (total(ledger).batches, total(ledger).rows) == (2, 8)
    for group, keys in {
        GroupBy.MODEL: {"digits:1", "digits:2"},
        GroupBy.NODE: {"pi-1", "pi-2"},
        GroupBy.ROUTE: {"farm"},
    }.items():
        found = by_key(ledger, group)
        assert set(found) == keys
        assert sum(figures.usage.joules for figures in found.values()) == 16.0
        assert sum(figures.batches for figures in found.values()) == 2


def test_a_batch_is_its_clients_by_their_rows(ledger: Ledger) -> None:
    ledger.batches((batch(),), 1)
    found = by_key(ledger, GroupBy.CLIENT)
    assert {key: figures.usage for key, figures in found.items()} == {
        "id:ann": times(USAGE, 0.75),
        "id:bob": times(USAGE, 0.25),
    }
    assert found["id:ann"].wasted == times(USAGE, 0.1875)
    assert (found["id:ann"].rows, found["id:bob"].batches) == (3, 1)


def test_connections_of_this_machine_are_one_client(ledger: Ledger) -> None:
    ledger.batches(
        (batch(clients={"ipv4:127.0.0.1:5000": 1, "ipv6:%5B::1%5D:6": 2, "unix:": 1}),), 1
    )
    ledger.request(DIGITS, "ipv4:127.0.0.1:5001", None, 0.001)
    (found,) = by_key(ledger, GroupBy.CLIENT).values()
    assert (found.key, found.rows, found.counts.answered) == ("localhost", 4, 1)


@pytest.mark.parametrize("outcome", ["node_lost", "execution_failed"])
def test_all_of_a_batch_that_failed_is_waste(ledger: Ledger, outcome: str) -> None:
    waste = {WasteKind.RETRIED: 3, WasteKind.EXPIRED: 1}
    ledger.batches((batch(outcome=outcome, requests=0, wasted=2, waste=waste),), 1)
    assert total(ledger).wasted == total(ledger).usage == USAGE
    by_kind = {key: found.usage for key, found in by_key(ledger, GroupBy.WASTE).items()}
    assert by_kind == {"retried": times(USAGE, 0.75), "expired": times(USAGE, 0.25)}
    assert {key: found.rows for key, found in by_key(ledger, GroupBy.WASTE).items()} == waste


def test_a_request_without_rows_is_all_of_its_batch(ledger: Ledger) -> None:
    alone = {"rows": 0, "requests": 0, "clients": {"id:ann": 0}}
    ledger.batches((batch(**alone, waste={WasteKind.EXPIRED: 0}),), 1)
    assert total(ledger).wasted == by_key(ledger, GroupBy.WASTE)["expired"].usage == USAGE


def test_a_node_that_was_full_wasted_nothing(ledger: Ledger) -> None:
    busy = batch(
        outcome="node_busy", requests=0, wasted=2, waste={WasteKind.RETRIED: 4}, usage=Usage()
    )
    ledger.batches((busy,), 1)
    assert by_key(ledger, GroupBy.WASTE) == {}
    ((read,),) = ledger.records(NOON_NS, NOON_NS + 1)
    assert read == busy


def test_idle_windows_are_the_farms_alone(ledger: Ledger) -> None:
    ledger.batches((batch(),), 1)
    ledger.window(IDLE)
    assert total(ledger).usage.joules == 38.0
    assert (total(ledger).idle.joules, total(ledger).idle.low_j) == (30.0, 20.0)
    assert total(ledger).idle.cost is None
    assert by_key(ledger, GroupBy.NODE)["pi-1"].usage == USAGE


def test_what_has_no_price_costs_nothing_known(ledger: Ledger) -> None:
    free = replace(USAGE, cost=None, power_cost=None)
    ledger.batches((batch(usage=free),), 1)
    assert total(ledger).usage.cost is None
    for usage in (USAGE, free):
        ledger.batches((batch(usage=usage),), 1)
        assert (total(ledger).usage.cost, total(ledger).usage.power_cost) == (0.5, 0.125)


def test_requests_are_counted_by_model_and_client(ledger: Ledger) -> None:
    ledger.request(
        DIGITS, "id:ann", None, 0.0015, in_time=True, request_bytes=100, response_bytes=10
    )
    ledger.request(DIGITS, "id:ann", None, 100.0, in_time=False)
    ledger.request(DIGITS, "id:bob", ErrorCode.QUEUE_FULL, 0.0)
    ledger.request(ModelKey("other", 1), "id:bob", ErrorCode.QUEUE_FULL, 0.0)
    counts = total(ledger).counts
    assert (counts.answered, counts.failed) == (2, {"queue_full": 2})
    assert (counts.in_time, counts.late) == (1, 1)
    assert (counts.request_bytes, counts.response_bytes) == (100, 10)
    assert counts.latency_s == 100.0015
    assert counts.latencies[2] == counts.latencies[len(LATENCY_BOUNDS_S)] == 1
    assert sum(counts.latencies) == 2
    assert by_key(ledger, GroupBy.MODEL)["digits:1"].counts.failed == {"queue_full": 1}
    assert by_key(ledger, GroupBy.CLIENT)["id:bob"].counts.failed == {"queue_full": 2}
    assert by_key(ledger, GroupBy.CLIENT)["id:ann"].counts.answered == 2


def test_a_latency_at_a_bound_counts_below_it(ledger: Ledger) -> None:
    ledger.request(DIGITS, "", None, LATENCY_BOUNDS_S[0])
    assert total(ledger).counts.latencies[0] == 1


def test_by_node_and_route_only_answers_are_known(ledger: Ledger) -> None:
    ledger.batches((batch(requests=3),), 1)
    ledger.request(DIGITS, "id:ann", ErrorCode.QUEUE_FULL, 0.0)
    assert by_key(ledger, GroupBy.NODE)["pi-1"].counts.answered == 3
    assert by_key(ledger, GroupBy.ROUTE)["farm"].counts.answered == 3
    assert total(ledger).counts.answered == 0


def test_a_time_is_cut_into_steps(ledger: Ledger) -> None:
    for minute in (0, 1, 3, 9):
        ledger.batches((batch(settled_unix_ns=NOON_NS + minute * MINUTE_NS),), 1)
    found = ledger.figures(asked(step_s=120))
    begins = [(figures.start_unix_ns - NOON_NS) // MINUTE_NS for figures in found]
    assert list(zip(begins, [figures.batches for figures in found], strict=True)) == [
        (0, 2), (2, 1), (8, 1),
    ]  # fmt: skip


def test_the_minute_that_is_not_over_counts(ledger: Ledger, clock: StandingClock) -> None:
    clock.now_ns = NOON_NS + 5
    ledger.batches((batch(settled_unix_ns=NOON_NS + 2),), 1)
    ledger.request(DIGITS, "", None, 0.1)
    query = LedgerQuery(since_unix_ns=NOON_NS + 1, until_unix_ns=NOON_NS + 5)
    (found,) = ledger.figures(query)
    assert (found.batches, found.counts.answered) == (1, 1)
    assert ledger.figures(LedgerQuery(since_unix_ns=0, until_unix_ns=NOON_NS)) == []


@pytest.mark.parametrize("step_s", [1, 90, -60])
def test_steps_are_whole_minutes(ledger: Ledger, step_s: int) -> None:
    with pytest.raises(InvalidRequestError, match="multiple of 60"):
        ledger.figures(asked(step_s=step_s))


def test_too_many_figures_are_refused(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("farm.engine.ledger.queries.MAX_FIGURES", 1)
    ledger.batches((batch(node_id="pi-1"),), 1)
    ledger.batches((batch(node_id="pi-2"),), 1)
    with pytest.raises(InvalidRequestError, match="longer steps"):
        ledger.figures(asked(GroupBy.NODE))


def test_batches_are_read_back_whole_and_in_order(ledger: Ledger) -> None:
    count = 2 * CHUNK + 1
    # As many as that are settled at one moment.
    told = [batch(batch_id=n, settled_unix_ns=NOON_NS + n // 700) for n in range(count)]
    for record in reversed(told):
        ledger.batches((record,), 1)
    chunks = list(ledger.records(NOON_NS, NOON_NS + MINUTE_NS))
    assert [len(chunk) for chunk in chunks] == [CHUNK, CHUNK, 1]
    read = [record for chunk in chunks for record in chunk]
    assert sorted(read, key=lambda record: record.batch_id) == told
    assert [r.settled_unix_ns for r in read] == sorted(r.settled_unix_ns for r in told)


def test_only_batches_of_the_time_are_read(ledger: Ledger) -> None:
    for at in (-1, 0, 1, 2):
        ledger.batches((batch(batch_id=at + 1, settled_unix_ns=NOON_NS + at),), 1)
    (chunk,) = ledger.records(NOON_NS, NOON_NS + 2)
    assert [record.batch_id for record in chunk] == [1, 2]


def test_incidents_of_the_time_come_in_order(ledger: Ledger) -> None:
    told = [
        Incident(unix_ns=NOON_NS + n, kind=IncidentKind.NODE_LOST, subject=f"pi-{n}", detail="gone")
        for n in (2, 0, 1)
    ]
    for incident in told:
        ledger.incident(incident)
    before = replace(told[0], unix_ns=NOON_NS - 1)
    ledger.incident(before)
    assert ledger.answer(asked()).incidents == (told[1], told[2], told[0])


def test_a_restart_in_the_same_minute_adds_to_it(path: Path) -> None:
    for _ in range(3):
        with opened(path, currency="EUR") as ledger:
            ledger.batches((batch(),), 1)
            ledger.request(DIGITS, "id:ann", None, 0.1)
            ledger.request(DIGITS, "id:ann", ErrorCode.QUEUE_FULL, 0.1)
    with opened(path, currency="EUR") as ledger:
        assert (total(ledger).batches, total(ledger).counts.answered) == (3, 3)
        assert total(ledger).counts.failed == {"queue_full": 3}
        assert total(ledger).usage == times(USAGE, 3)


def test_two_gateways_write_one_file_while_one_hands_over(path: Path) -> None:
    with opened(path) as old, opened(path) as new:
        for gateway in (old, new, old, new):
            gateway.batches((batch(),), 1)
            assert gateway.flush()
        assert total(old) == total(new)
        assert total(new).batches == 4


def test_a_ledger_that_is_closed_leaves_one_file(path: Path) -> None:
    with opened(path) as ledger:
        ledger.batches((batch(),), 1)
    assert [file.name for file in path.parent.iterdir()] == ["ledger.db"]
    assert path.stat().st_mode & 0o077 == 0


def test_what_is_old_is_forgotten_batches_first(path: Path, clock: StandingClock) -> None:
    retention = Retention(batch_days=1, minute_days=10)
    day_ns = 1440 * MINUTE_NS
    with opened(path, clock=clock, retention=retention) as ledger:
        for day in (0, 5):
            ledger.batches((batch(settled_unix_ns=NOON_NS + day * day_ns),), 1)
            ledger.request(DIGITS, "", ErrorCode.QUEUE_FULL, 0.1)
        ledger.incident(
            Incident(unix_ns=NOON_NS, kind=IncidentKind.NODE_LOST, subject="pi-1", detail="")
        )
        query = LedgerQuery(since_unix_ns=0, until_unix_ns=NOON_NS + 20 * day_ns)
        clock.now_ns = NOON_NS + 5 * day_ns
        assert ledger.figures(query)[0].batches == 2
        (chunk,) = ledger.records(0, query.until_unix_ns)
        assert len(chunk) == 1
        clock.now_ns = NOON_NS + 12 * day_ns
        answer = ledger.answer(query)
        assert answer.figures[0].batches == 1
        assert answer.figures[0].counts.failed == {}
        assert answer.incidents == ()
        assert answer.begins_unix_ns == NOON_NS + 5 * day_ns
        assert list(ledger.records(0, query.until_unix_ns)) == []


def test_sums_of_days_ago_are_by_the_hour(path: Path, clock: StandingClock) -> None:
    with opened(path, clock=clock, currency="EUR") as ledger:
        for minute in (0, 1, 59, 60, 119, 180):
            ledger.batches((batch(settled_unix_ns=NOON_NS + minute * MINUTE_NS),), 1)
            clock.now_ns = NOON_NS + minute * MINUTE_NS
            ledger.request(DIGITS, "id:ann", None, 0.1)
            ledger.request(DIGITS, "id:ann", ErrorCode.QUEUE_FULL, 0.1)
        before = {group: ledger.figures(asked(group, minutes=240)) for group in GroupBy}
        clock.now_ns = NOON_NS + 50 * 60 * MINUTE_NS
        assert {group: ledger.figures(asked(group, minutes=240)) for group in GroupBy} == before
        by_minute = ledger.figures(asked(minutes=240, step_s=60))
        assert [
            ((found.start_unix_ns - NOON_NS) // MINUTE_NS, found.batches) for found in by_minute
        ] == [(0, 3), (60, 2), (180, 1)]
        # A time that begins within an hour has all of it.
        since = LedgerQuery(
            since_unix_ns=NOON_NS + 30 * MINUTE_NS, until_unix_ns=NOON_NS + 61 * MINUTE_NS
        )
        (found,) = ledger.figures(since)
        assert (found.start_unix_ns, found.batches) == (NOON_NS, 5)
        # What is late for its hour counts as well.
        ledger.batches((batch(settled_unix_ns=NOON_NS + 5 * MINUTE_NS),), 1)
        assert ledger.figures(asked(minutes=240))[0].batches == 7


def test_the_file_stays_below_its_bound_and_keeps_the_newest(
    path: Path, clock: StandingClock
) -> None:
    bound = 4 << 20
    retention = Retention(max_bytes=bound)
    with capture_logs() as logs, opened(path, clock=clock, retention=retention) as ledger:
        for minute in range(30):
            for n in range(1_000):
                ledger.batches(
                    (batch(batch_id=n, settled_unix_ns=NOON_NS + minute * MINUTE_NS),), 1
                )
            ledger.flush()
        answer = ledger.answer(asked(minutes=60))
        assert answer.size_bytes <= bound
        assert (answer.figures[0].batches, answer.drops) == (30_000, 0)
        kept = [r for chunk in ledger.records(0, NOON_NS + 60 * MINUTE_NS) for r in chunk]
        assert 1_000 <= len(kept) < 30_000
        assert kept[-1].settled_unix_ns == NOON_NS + 29 * MINUTE_NS
    assert logs == []


def test_a_lower_bound_gives_the_disk_back(path: Path) -> None:
    with opened(path) as ledger:
        for n in range(30_000):
            ledger.batches((batch(batch_id=n),), 1)
    before = path.stat().st_size
    with opened(path, retention=Retention(max_bytes=3 << 20)) as ledger:
        ledger.flush()
        assert total(ledger).batches == 30_000
    assert path.stat().st_size < min(before, 3 << 20)


def test_anybody_can_read_the_file_with_sqlite(path: Path) -> None:
    with opened(path) as ledger:
        ledger.batches((batch(),), 1)
    db = sqlite3.connect(path)
    assert db.execute("SELECT joules, cost FROM batches").fetchall() == [(8.0, 0.5)]
    db.close()
