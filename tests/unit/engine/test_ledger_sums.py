"""Sums by the minute add up to what was told, by whatever it is grouped."""

import math
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_records import DIGITS, MINUTE_NS, NOON_NS, batch_record

from farm.core.ledger import BatchRecord, GroupBy, RequestCounts, Usage, WasteKind, WindowRecord
from farm.core.models import ModelKey
from farm.engine.ledger.schema import USAGE_FIELDS
from farm.engine.ledger.sums import Charged, MinuteSums, Sums, account_of

AMOUNTS = st.floats(0, 1e6)
USAGES = st.builds(
    Usage,
    joules=AMOUNTS,
    low_j=AMOUNTS,
    measured_j=AMOUNTS,
    node_s=AMOUNTS,
    cost=AMOUNTS,
    power_cost=AMOUNTS,
)
BATCHES = st.builds(
    batch_record,
    settled_unix_ns=st.integers(0, 3).map(lambda minute: NOON_NS + minute * MINUTE_NS),
    model=st.sampled_from([DIGITS, ModelKey("digits", 2), ModelKey("other", 1)]),
    node_id=st.sampled_from(["pi-1", "pi-2"]),
    route=st.sampled_from(["farm", "cloud"]),
    outcome=st.sampled_from(["completed", "node_lost"]),
    rows=st.integers(64, 99),
    requests=st.integers(1, 64),
    # Parts of the rows, of which there are more.
    waste=st.dictionaries(st.sampled_from(WasteKind), st.integers(1, 8)),
    usage=USAGES,
    clients=st.dictionaries(
        st.sampled_from(["id:ann", "id:bob", "ipv4:127.0.0.1:1", "ipv4:127.0.0.1:2"]),
        st.integers(0, 32),
    ),
)
IDLES = st.builds(WindowRecord, settled_unix_ns=st.just(NOON_NS), window_s=AMOUNTS, usage=USAGES)


def added(batches: Iterable[BatchRecord], idles: Iterable[WindowRecord] = ()) -> MinuteSums:
    sums = MinuteSums()
    sums.add_batches(batches)
    for idle in idles:
        sums.add_window(idle)
    return sums


def grouped(sums: MinuteSums, group: GroupBy) -> Sums:
    """All that a group has, over its keys and minutes."""
    whole = Sums()
    for (of, _, _), row in sums.rows.items():
        if of is group:
            whole.add(row)
    return whole


@settings(deadline=None)
@given(st.lists(BATCHES), st.lists(IDLES))
def test_every_group_adds_up_to_the_whole(
    batches: list[BatchRecord], idles: list[WindowRecord]
) -> None:
    sums = added(batches, idles)
    total = grouped(sums, GroupBy.TOTAL)
    told = math.fsum(batch.usage.joules for batch in batches)
    idle = math.fsum(idle.usage.joules for idle in idles)
    assert total.usage.joules == pytest.approx(told + idle)
    assert total.idle.joules == pytest.approx(idle)
    assert total.batches == len(batches)
    for group in set(GroupBy) - {GroupBy.TOTAL, GroupBy.WASTE}:
        found = grouped(sums, group)
        assert found.usage.joules == pytest.approx(told)
        assert (found.usage.cost or 0.0) == pytest.approx(
            math.fsum(batch.usage.cost or 0.0 for batch in batches)
        )
        assert found.wasted.joules == pytest.approx(total.wasted.joules)
        assert found.compute_s == pytest.approx(total.compute_s)
    waste = grouped(sums, GroupBy.WASTE)
    for found in (waste.usage, waste.wasted):
        assert found.joules == pytest.approx(total.wasted.joules)
        assert (found.cost or 0.0) == pytest.approx(total.wasted.cost or 0.0)


@settings(deadline=None)
@given(st.lists(BATCHES))
def test_waste_is_a_part(batches: list[BatchRecord]) -> None:
    for row in added(batches).rows.values():
        assert 0 <= row.wasted.joules <= row.usage.joules * (1 + 1e-9)
    failed = [replace(batch, waste={WasteKind.RETRIED: batch.rows}) for batch in batches]
    whole = grouped(added(failed), GroupBy.TOTAL)
    assert whole.wasted == whole.usage


@settings(deadline=None)
@given(st.lists(BATCHES), st.integers(0, 20))
def test_when_it_is_written_changes_nothing(batches: list[BatchRecord], cut: int) -> None:
    at_once = added(batches)
    one, two = added(batches[:cut]), added(batches[cut:])
    assert one.rows.keys() | two.rows.keys() == at_once.rows.keys()
    for key, row in at_once.rows.items():
        parts = Sums()
        for part in (one, two):
            if key in part.rows:
                parts.add(part.rows[key])
        assert (parts.batches, parts.rows) == (row.batches, row.rows)
        assert parts.counts == row.counts
        assert parts.usage.joules == pytest.approx(row.usage.joules)


@pytest.mark.parametrize("name", USAGE_FIELDS)
def test_every_field_of_a_usage_is_added(name: str) -> None:
    charged = Charged()
    charged.add(Usage(**{name: 8.0}), 0.25)
    charged.add(charged)
    others = set(USAGE_FIELDS) - {name}
    assert getattr(charged, name) == 4.0
    assert not any(getattr(charged, other) for other in others)


def test_counts_of_requests_are_added_and_not_shared() -> None:
    counts = RequestCounts(answered=1, failed={"cancelled": 1}, latency_s=0.5)
    counts.latencies[3] = 1
    sums = MinuteSums()
    for _ in range(2):
        sums.add_requests({(7, DIGITS, "id:ann"): counts})
    assert set(sums.rows) == {
        (GroupBy.TOTAL, 7, ""), (GroupBy.MODEL, 7, "digits:1"), (GroupBy.CLIENT, 7, "id:ann"),
    }  # fmt: skip
    for row in sums.rows.values():
        assert (row.counts.answered, row.counts.failed) == (2, {"cancelled": 2})
        assert (row.counts.latencies[3], row.counts.latency_s) == (2, 1.0)
    assert (counts.answered, counts.latencies[3]) == (1, 1)


@pytest.mark.parametrize(
    ("client", "account"),
    [
        ("id:ann", "id:ann"),
        ("198.18.0.7", "198.18.0.7"),
        ("", ""),
        ("ipv4:127.0.0.1:4711", "localhost"),
        ("ipv6:%5B::1%5D:4711", "localhost"),
        ("unix:", "localhost"),
    ],
)
def test_accounts(client: str, account: str) -> None:
    assert account_of(client) == account
