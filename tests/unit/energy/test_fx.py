"""Money is converted by a dated rate of the operator's, or not at all."""

from dataclasses import replace
from datetime import date

import pytest

from farm.core.currencies import CURRENCIES
from farm.core.terms import FxRate
from farm.energy.fx import Exchange, fx_problem

RATE = FxRate(sold="USD", bought="EUR", rate=0.8, day=date(2026, 11, 1), source="the bank")
EXCHANGE = Exchange(rates=(RATE,))


def test_an_amount_is_converted_by_its_rate_either_way() -> None:
    assert EXCHANGE.convert(10, "USD", "EUR") == pytest.approx(8)
    assert EXCHANGE.convert(8, "EUR", "USD") == pytest.approx(10)


def test_without_a_rate_nothing_is_converted() -> None:
    assert EXCHANGE.convert(10, "USD", "CHF") is None
    assert Exchange().convert(10, "USD", "EUR") is None


def test_what_is_in_the_currency_needs_no_rate() -> None:
    assert Exchange().convert(10, "EUR", "EUR") == 10


def test_rates_are_not_chained() -> None:
    more = FxRate(sold="EUR", bought="CHF", rate=0.9, day=RATE.day, source="the bank")
    assert Exchange(rates=(RATE, more)).convert(10, "USD", "CHF") is None


def test_the_newest_rate_counts() -> None:
    newer = replace(RATE, rate=0.9, day=date(2026, 11, 20))
    for rates in ((RATE, newer), (newer, RATE)):
        assert Exchange(rates=rates).convert(10, "USD", "EUR") == pytest.approx(9)


def test_a_rate_says_its_age_and_its_source() -> None:
    assert RATE.said(date(2026, 11, 22)) == (
        "1 USD = 0.8 EUR on 2026-11-01 (21 days old; the bank)"
    )
    assert "(1 day old;" in RATE.said(date(2026, 11, 2))
    assert "(of a day to come;" in RATE.said(date(2026, 10, 31))


@pytest.mark.parametrize(
    ("rates", "said"),
    [
        ((replace(RATE, sold="UDS"),), "fx UDS to EUR: 'UDS' is no currency of ISO 4217"),
        ((replace(RATE, sold="EUR"),), "a currency is converted into another one"),
        ((replace(RATE, rate=0),), "rate is 0 and must be above 0"),
        ((replace(RATE, rate=float("nan")),), "rate is nan"),
        ((replace(RATE, source=" "),), "say in source where the rate is from"),
        ((RATE, replace(RATE, rate=0.81)), "there are two rates of 2026-11-01"),
    ],
)
def test_a_rate_that_is_none_is_refused(rates: tuple[FxRate, ...], said: str) -> None:
    assert said in (fx_problem(rates) or "")


def test_good_rates_are_taken() -> None:
    assert fx_problem((RATE, replace(RATE, day=date(2026, 11, 20)))) is None


def test_currencies_have_three_capital_letters() -> None:
    assert all(len(code) == 3 and code.isupper() for code in CURRENCIES)
    assert {"EUR", "USD", "GBP", "CHF", "INR"} <= CURRENCIES
    assert "XXX" not in CURRENCIES
