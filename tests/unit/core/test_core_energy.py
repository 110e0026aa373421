"""Joules keep their origin and their band, whatever is done with them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.core.energy import Band, EnergyReading, EnergySource, weakest

JOULES = st.floats(0, 1e9)


def reading(joules: float, source: EnergySource = EnergySource.MODELLED) -> EnergyReading:
    return EnergyReading(
        joules=joules, low=joules / 2, high=joules * 2, source=source, window_s=0.25
    )


@pytest.mark.parametrize("source", EnergySource)
def test_a_part_keeps_source_and_window(source: EnergySource) -> None:
    part = reading(8.0, source).part(0.25)
    assert (part.low, part.joules, part.high) == (1.0, 2.0, 4.0)
    assert (part.source, part.window_s) == (source, 0.25)


@settings(deadline=None)
@given(JOULES, st.lists(st.integers(1, 1000), min_size=1, max_size=64))
def test_parts_by_rows_add_up_to_the_whole(joules: float, rows: list[int]) -> None:
    parts = [reading(joules).part(count / sum(rows)) for count in rows]
    assert sum(part.joules for part in parts) == pytest.approx(joules)
    assert all(part.low <= part.joules <= part.high for part in parts)


def test_a_sum_is_worth_what_its_weakest_part_is() -> None:
    measured, modelled, assumed = EnergySource
    assert weakest([measured]) is measured
    assert weakest([modelled, measured]) is modelled
    assert weakest([measured, assumed, modelled]) is assumed
    assert weakest([]) is assumed, "of nothing nothing is known"


@settings(deadline=None)
@given(JOULES, JOULES, st.floats(0, 10))
def test_bands_stay_in_order(one: float, other: float, factor: float) -> None:
    bands = Band(one / 2, one, one * 2), Band.exactly(other)
    for band in (bands[0] + bands[1], bands[0].times(factor)):
        assert band.low <= band.typical <= band.high
