"""What a kilowatt-hour costs at a moment, and which periods make a tariff."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.energy.tariff import Tariff, TariffPeriod, tariff_problem

BERLIN = ZoneInfo("Europe/Berlin")
WORKDAYS, WEEKEND = frozenset(range(5)), frozenset({5, 6})
DAY = TariffPeriod(price_per_kwh=0.40, start=time(6), end=time(22))
NIGHT = TariffPeriod(price_per_kwh=0.20, start=time(22), end=time(6))
DAY_AND_NIGHT = Tariff(periods=(DAY, NIGHT), zone=BERLIN)


def at(text: str) -> float:
    """A moment, given in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_a_flat_price_is_always_the_same() -> None:
    assert Tariff.flat(0.32).price_per_kwh(at("2026-07-01 03:00")) == 0.32
    assert Tariff.flat(0.36).price_per_j(0) == pytest.approx(1e-7)


def test_times_are_local() -> None:
    # In July Berlin is two hours ahead of UTC, in January one.
    assert DAY_AND_NIGHT.price_per_kwh(at("2026-07-01 03:59")) == 0.20
    assert DAY_AND_NIGHT.price_per_kwh(at("2026-07-01 04:00")) == 0.40
    assert DAY_AND_NIGHT.price_per_kwh(at("2026-01-01 04:59")) == 0.20
    assert DAY_AND_NIGHT.price_per_kwh(at("2026-01-01 05:00")) == 0.40


def hours_at(price: float, first: str, hours: int) -> int:
    begun = at(first)
    return sum(DAY_AND_NIGHT.price_per_kwh(begun + hour * 3600) == price for hour in range(hours))


def test_the_night_in_which_clocks_go_forward_is_an_hour_shorter() -> None:
    assert hours_at(0.20, "2026-03-28 21:00", 12) == 7
    assert hours_at(0.20, "2026-03-29 20:00", 12) == 8


def test_the_night_in_which_clocks_go_back_is_an_hour_longer() -> None:
    assert hours_at(0.20, "2026-10-24 20:00", 12) == 9
    assert hours_at(0.20, "2026-10-25 21:00", 12) == 8


def test_weekdays_are_those_on_which_a_period_starts() -> None:
    friday_night = TariffPeriod(
        price_per_kwh=0.1, start=time(22), end=time(6), weekdays=frozenset({4})
    )
    assert friday_night.holds(4, 22 * 60)
    assert friday_night.holds(5, 5 * 60 + 59)
    assert not friday_night.holds(4, 5 * 60)
    assert not friday_night.holds(5, 6 * 60)


def test_workdays_and_weekend() -> None:
    periods = (
        TariffPeriod(price_per_kwh=0.3, weekdays=WORKDAYS),
        TariffPeriod(price_per_kwh=0.1, weekdays=WEEKEND),
    )
    assert tariff_problem(periods) is None
    tariff = Tariff(periods=periods)
    assert tariff.price_per_kwh(at("2026-11-20 23:59")) == 0.3
    assert tariff.price_per_kwh(at("2026-11-21 00:00")) == 0.1


@pytest.mark.parametrize(
    ("periods", "said"),
    [
        ((), "there is no price at Monday 00:00"),
        ((DAY,), "there is no price at Monday 00:00"),
        ((DAY, NIGHT, DAY), "there are 2 prices at Monday 06:00"),
        (
            (TariffPeriod(price_per_kwh=0.3, weekdays=WORKDAYS),),
            "there is no price at Saturday 00:00",
        ),
        ((TariffPeriod(price_per_kwh=-0.1),), "price_per_kwh is -0.1 and must be 0 or more"),
        ((TariffPeriod(price_per_kwh=float("nan")),), "price_per_kwh is nan"),
        ((TariffPeriod(price_per_kwh=1, weekdays=frozenset({7})),), "a period needs weekdays"),
        ((TariffPeriod(price_per_kwh=1, start=time(6, 0, 1)),), "whole minutes"),
    ],
)
def test_what_is_no_tariff_is_said(periods: tuple[TariffPeriod, ...], said: str) -> None:
    assert said in (tariff_problem(periods) or "")


@settings(max_examples=100, deadline=None)
@given(st.lists(st.times().map(lambda t: t.replace(second=0, microsecond=0)), min_size=2))
def test_periods_that_follow_one_another_make_a_tariff(moments: list[time]) -> None:
    cuts = sorted(set(moments))
    if len(cuts) < 2:
        return
    periods = tuple(
        TariffPeriod(price_per_kwh=number, start=start, end=end)
        for number, (start, end) in enumerate(zip(cuts, [*cuts[1:], cuts[0]], strict=True))
    )
    assert tariff_problem(periods) is None
    tariff = Tariff(periods=periods, zone=BERLIN)
    assert {tariff.price_per_kwh(hour * 3600) for hour in range(24)} <= set(range(len(cuts)))


def test_every_moment_of_a_year_has_a_price() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    while moment.year == 2026:
        assert DAY_AND_NIGHT.price_per_kwh(moment.timestamp()) in (0.20, 0.40)
        moment += timedelta(hours=1)
