"""Percentiles in little memory agree with those of all values."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.client.load.latencies import Latencies


def of(values: list[float]) -> Latencies:
    latencies = Latencies()
    for value in values:
        latencies.add(value)
    return latencies


def test_without_values_there_is_nothing_to_say() -> None:
    empty = Latencies()
    assert (empty.count, empty.mean_s, empty.max_s, empty.percentile_s(50)) == (0, None, None, None)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.floats(1e-6, 1e4), min_size=1, max_size=200),
    st.floats(0, 100, exclude_min=True),
)
def test_a_percentile_is_right_to_a_hundredth(values: list[float], percent: float) -> None:
    latencies = of(values)
    exact = float(np.percentile(values, percent, method="inverted_cdf"))
    assert latencies.percentile_s(percent) == pytest.approx(exact, rel=0.01)
    assert latencies.percentile_s(100) == latencies.max_s == max(values)
    assert latencies.mean_s == pytest.approx(np.mean(values))
    assert latencies.count == len(values)


def test_percentiles_never_fall() -> None:
    latencies = of(list(np.random.default_rng(0).exponential(0.01, 1000)))
    found = [latencies.percentile_s(percent) or 0 for percent in range(1, 101)]
    assert found == sorted(found)


def test_what_is_below_the_first_bucket_counts_too() -> None:
    latencies = of([0.0, -1.0, 1e-9])
    assert latencies.count == 3
    assert 0.0 <= (latencies.percentile_s(50) or 0) <= 1e-9


def test_memory_does_not_grow_with_the_number_of_values() -> None:
    latencies = of(list(np.random.default_rng(0).exponential(1.0, 50_000)))
    assert len(latencies._counts) < 2_500
