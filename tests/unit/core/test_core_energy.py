"""Energy is split without losing a joule, its band or its origin."""

from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.core.energy import EnergyReading, EnergySource


def reading(joules: float, source: EnergySource = EnergySource.MEASURED) -> EnergyReading:
    return EnergyReading(
        joules=joules, low=joules * 0.8, high=joules * 1.3, source=source, window_s=0.5
    )


def test_shares_are_proportional() -> None:
    shares = reading(8.0).share([1, 3])
    assert [share.joules for share in shares] == [2.0, 6.0]
    assert [share.low for share in shares] == pytest.approx([1.6, 4.8])
    assert [share.high for share in shares] == pytest.approx([2.6, 7.8])


@pytest.mark.parametrize("source", EnergySource)
def test_shares_keep_source_and_window(source: EnergySource) -> None:
    for share in reading(1.0, source).share([2, 5]):
        assert (share.source, share.window_s) == (source, 0.5)


def test_a_single_share_is_the_whole() -> None:
    assert reading(0.7).share([3]) == (reading(0.7),)


def test_weights_of_zero_share_equally() -> None:
    assert [share.joules for share in reading(3.0).share([0, 0, 0])] == pytest.approx([1.0] * 3)


@given(
    joules=st.floats(0.0, 1e9),
    weights=st.lists(st.integers(0, 10_000), min_size=1, max_size=40),
)
def test_shares_conserve_and_stay_in_their_band(joules: float, weights: list[int]) -> None:
    whole = reading(joules)
    shares = whole.share(weights)
    assert len(shares) == len(weights)
    for name in ("joules", "low", "high"):
        parts = [getattr(share, name) for share in shares]
        assert isclose(sum(parts), getattr(whole, name), abs_tol=1e-12)
        assert min(parts) >= -1e-9 * max(joules, 1e-3)
    for share in shares:
        slack = 1e-9 * max(joules, 1e-3)
        assert share.low <= share.joules + slack
        assert share.joules <= share.high + slack
