"""Quantiles that are read off counts of latencies."""

from bisect import bisect_left

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.core.ledger import LATENCY_BOUNDS_S
from farm.energy.latency import latency_s


def counted(*latencies: float) -> list[int]:
    counts = [0] * (len(LATENCY_BOUNDS_S) + 1)
    for latency in latencies:
        counts[bisect_left(LATENCY_BOUNDS_S, latency)] += 1
    return counts


def test_without_answers_there_is_none() -> None:
    assert latency_s(counted(), 0.5) is None


def test_between_two_bounds_it_is_interpolated() -> None:
    counts = counted(*[0.0012] * 4)
    assert latency_s(counts, 0.5) == pytest.approx(0.0012)
    assert latency_s(counts, 1.0) == pytest.approx(0.0014)


def test_what_is_above_the_last_bound_is_told_as_that_bound() -> None:
    assert latency_s(counted(100.0), 0.5) == LATENCY_BOUNDS_S[-1]


@settings(deadline=None)
@given(
    st.lists(st.floats(min_value=1e-4, max_value=60), min_size=1, max_size=200),
    st.floats(min_value=0.01, max_value=1),
)
def test_it_is_off_by_no_more_than_its_bucket(latencies: list[float], share: float) -> None:
    told = latency_s(counted(*latencies), share)
    rank = min(int(share * len(latencies)), len(latencies) - 1)
    ordered = sorted(latencies)
    around = (ordered[max(rank - 1, 0)], ordered[rank])
    assert told is not None
    index = bisect_left(LATENCY_BOUNDS_S, around[0])
    assert told >= (LATENCY_BOUNDS_S[index - 1] if index else 0.0) - 1e-12
    assert told <= LATENCY_BOUNDS_S[bisect_left(LATENCY_BOUNDS_S, around[1])] + 1e-12


@settings(deadline=None)
@given(st.lists(st.integers(0, 100), min_size=30, max_size=30))
def test_a_greater_share_is_never_quicker(counts: list[int]) -> None:
    told = [latency_s(counts, share) for share in (0.1, 0.5, 0.95, 0.99, 1.0)]
    known = [each for each in told if each is not None]
    assert known == sorted(known)
    assert bool(known) == any(counts)
