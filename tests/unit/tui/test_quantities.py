"""Numbers as the screen tells them."""

import math
from datetime import UTC

import pytest
from farm_readings import BEGINS, SECOND
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.core.energy import Band, EnergySource, Power
from tui.glyphs import glyphs
from tui.readings import quantities as q

NUMBERS = st.one_of(st.none(), st.floats())


@pytest.mark.parametrize(
    ("told", "text"),
    [
        (q.rate(0), "0"),
        (q.rate(0.26), "0.3"),
        (q.rate(9.96), "10"),
        (q.rate(999.4), "999"),
        (q.rate(999.6), "1.0k"),
        (q.rate(1_234), "1.2k"),
        (q.rate(2.5e6), "2.5M"),
        (q.count(3), "3"),
        (q.count(999), "999"),
        (q.count(1_234), "1.2k"),
        (q.count(None), "-"),
        (q.bare_watts(712.3), "712 W"),
        (q.bare_watts(1_450), "1.4 kW"),
        (q.seconds(0.0056), "5.6 ms"),
        (q.seconds(0.00004), "0.04 ms"),
        (q.seconds(0.25), "250 ms"),
        (q.seconds(1.5), "1.5 s"),
        (q.seconds(600), "10 min"),
        (q.joules(0.0123), "12 mJ"),
        (q.joules(4.21), "4.2 J"),
        (q.joules(7.2e6), "2.0 kWh"),
        (q.money(0.01234, "EUR"), "0.0123 EUR"),
        (q.money(12.5, "USD"), "12.50 USD"),
        (q.money(-1_234.5, "USD"), "-1,234 USD"),
        (q.money(0.0, "USD"), "0 USD"),
        (q.money(0.5, ""), "0.500"),
        (q.fraction(0.617), "62%"),
        (q.celsius(61.7), "62 °C"),
        (q.hertz(2.4e9), "2.4 GHz"),
        (q.hertz(6e8), "600 MHz"),
        (q.data(8 << 30), "8.0 GiB"),
        (q.age(0.42), "0 s"),
        (q.age(12.9), "12 s"),
        (q.age(185), "3 min"),
        (q.age(36_000), "10 h"),
        (q.age(259_200), "3 d"),
        (q.clock_time(1_750_000_000_000_000_000, UTC), "15:06:40"),
        (q.clock_time(1 << 200), "-"),
        (q.moment(BEGINS, BEGINS + 30_000 * SECOND, UTC), "15:06:40"),
        (q.moment(BEGINS, BEGINS + 32_001 * SECOND, UTC), "06-15 15:06:40"),
        (q.moment(BEGINS, BEGINS - 1_000 * SECOND, UTC), "15:06:40"),
        (q.moment(BEGINS, BEGINS + 200 * 86_400 * SECOND, UTC), "2025-06-15 15:06:40"),
        (q.moment(1 << 200, BEGINS, UTC), "-"),
        (q.moment(1 << 200, 1 << 200, UTC), "-"),
    ],
)
def test_a_quantity(told: str, text: str) -> None:
    assert told == text


@pytest.mark.parametrize("ascii_only", [False, True])
def test_watts_tell_how_far_they_are_to_be_trusted(ascii_only: bool) -> None:
    marks = glyphs(ascii_only).sources
    told = {q.watts(Power(Band(3.0, 4.2, 6.0), source), marks) for source in EnergySource}
    assert len(told) == len(EnergySource)
    assert all(text.startswith("4.2 W ") for text in told)
    assert q.watts(None, marks) == q.UNKNOWN


FORMATS = (
    q.rate, q.bare_watts, q.seconds, q.joules, q.fraction, q.celsius, q.hertz, q.data, q.age,
)  # fmt: skip


@settings(deadline=None)
@given(NUMBERS)
def test_whatever_comes_is_told(value: float | None) -> None:
    for told in (*(form(value) for form in FORMATS), q.money(value, "USD")):
        assert told
        assert (told == q.UNKNOWN) == (value is None or not math.isfinite(value))


@settings(deadline=None)
@given(st.floats(0, 9.9e11))
def test_a_column_of_rates_stands_still(value: float) -> None:
    assert len(q.rate(value)) <= 5
