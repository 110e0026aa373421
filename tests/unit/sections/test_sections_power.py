"""What an operator says of power and money becomes what the accounting works with."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from farm.core.errors import ConfigurationError
from farm.energy.carbon import Grid
from farm.energy.economics import HostEconomics
from farm.energy.tariff import J_PER_KWH
from farm.sections.power import Power
from farm.sections.tariff import Period

USD = {"from": "USD", "to": "EUR", "rate": 0.9, "date": "2026-11-01", "source": "ECB"}
WEEK = [
    {"days": "mon-fri", "start": "07:00", "end": "22:00", "price_per_kwh": 0.34},
    {"days": "mon-fri", "start": "22:00", "end": "07:00", "price_per_kwh": 0.22},
    {"days": "sat", "start": "07:00", "end": "24:00", "price_per_kwh": 0.22},
    {"days": "sun", "end": "24:00", "price_per_kwh": 0.22},
    {"days": "mon", "end": "07:00", "price_per_kwh": 0.22},
]


def power(**values: Any) -> Power:
    return Power.model_validate(values)


def tariff(*periods: dict[str, Any], timezone: str = "Europe/Berlin") -> Power:
    return power(currency="EUR", tariff={"timezone": timezone, "periods": periods})


def wrong(**values: Any) -> list[tuple[str, str]]:
    """The place and the words of each problem of a section."""
    with pytest.raises(ValidationError) as caught:
        power(**values)
    return [(".".join(map(str, each["loc"])), each["msg"]) for each in caught.value.errors()]


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_nothing_said_is_nothing_priced() -> None:
    made = power()
    assert made.prices() is None
    economics = made.economics({})
    assert (economics.currency, economics.tariff, economics.overhead_w) == (None, None, 0.0)
    assert made.grid is None
    assert made.exchange().rates == ()


def test_a_flat_price_is_a_joules_at_any_time() -> None:
    hosts = {"pi": HostEconomics(price=80.0)}
    economics = power(currency="EUR", price_per_kwh="0.36", overhead_w=6).economics(hosts)
    assert economics.tariff is not None
    assert economics.tariff(0.0) == economics.tariff(1e9) == pytest.approx(0.36 / J_PER_KWH)
    assert (economics.currency, economics.overhead_w, economics.hosts) == ("EUR", 6.0, hosts)


@pytest.mark.parametrize(
    ("when", "price"),
    [
        ("2026-11-23T05:59", 0.22),  # a Monday, in Berlin an hour later
        ("2026-11-23T06:00", 0.34),
        ("2026-11-23T20:59", 0.34),
        ("2026-11-23T21:00", 0.22),
        ("2026-11-24T02:00", 0.22),
        ("2026-11-28T05:00", 0.22),  # Saturday, still Friday's night
        ("2026-11-28T12:00", 0.22),
        ("2026-06-01T05:00", 0.34),  # a Monday in summer, two hours later
    ],
)
def test_a_price_by_weekday_and_local_time(when: str, price: float) -> None:
    prices = tariff(*WEEK).prices()
    assert prices is not None
    assert prices.price_per_kwh(at(when)) == price


@pytest.mark.parametrize(
    ("text", "days"),
    [("sat,sun", {5, 6}), ("Fri-Mon", {4, 5, 6, 0}), ("wed", {2}), ("mon - tue, sun", {0, 1, 6})],
)
def test_days_are_spelt_in_several_ways(text: str, days: set[int]) -> None:
    period = Period.model_validate({"days": text, "price_per_kwh": 1}).period()
    assert period.weekdays == days


def test_times_are_what_yaml_makes_of_them() -> None:
    day = {"start": 420, "end": "9:30", "price_per_kwh": 1}
    made = tariff(day, {"start": "09:30", "end": 420, "price_per_kwh": 2})
    assert made.tariff is not None
    assert [(each.start, each.end) for each in made.tariff.periods] == [
        ("07:00", "09:30"),
        ("09:30", "07:00"),
    ]


@pytest.mark.parametrize(
    ("periods", "said"),
    [
        (WEEK[1:], "there is no price at Monday 07:00, and every minute of the week needs one"),
        ([], "there is no price at Monday 00:00, and every minute of the week needs one"),
        ([*WEEK, WEEK[3]], "2 prices at Sunday 00:00, and every minute of the week needs one"),
    ],
)
def test_a_gap_and_an_overlap_are_named(periods: list[dict[str, Any]], said: str) -> None:
    found = wrong(currency="EUR", tariff={"timezone": "Europe/Berlin", "periods": periods})
    ((place, words),) = found
    assert place == "tariff"
    assert said in words


@pytest.mark.parametrize(
    ("period", "place"),
    [
        ({"price_per_kwh": -0.1}, "tariff.periods.0.price_per_kwh"),
        ({"price_per_kwh": "inf"}, "tariff.periods.0.price_per_kwh"),
        ({}, "tariff.periods.0.price_per_kwh"),
        ({"price_per_kwh": 1, "days": "mon-xyz"}, "tariff.periods.0.days"),
        ({"price_per_kwh": 1, "days": ""}, "tariff.periods.0.days"),
        ({"price_per_kwh": 1, "start": "25:00"}, "tariff.periods.0.start"),
        ({"price_per_kwh": 1, "start": "07:00:30"}, "tariff.periods.0.start"),
        ({"price_per_kwh": 1, "end": 1441}, "tariff.periods.0.end"),
        ({"price_per_kwh": 1, "end": True}, "tariff.periods.0.end"),
        ({"price_per_kwh": 1, "weekdays": "mon"}, "tariff.periods.0.weekdays"),
    ],
)
def test_what_is_wrong_with_a_period_is_named(period: dict[str, Any], place: str) -> None:
    found = wrong(currency="EUR", tariff={"timezone": "UTC", "periods": [period]})
    assert [where for where, _ in found] == [place]


@pytest.mark.parametrize(
    "zone", ["Berlin", "", "Europe", "../../etc/passwd", "/etc/passwd", "a\0b", "x" * 5000]
)
def test_a_zone_that_is_none_is_named(zone: str) -> None:
    day = {"price_per_kwh": 1}
    ((place, words),) = wrong(currency="EUR", tariff={"timezone": zone, "periods": [day]})
    assert place == "tariff.timezone"
    assert "like Europe/Berlin" in words


@settings(deadline=None)
@given(
    st.fixed_dictionaries(
        {"price_per_kwh": st.floats() | st.text()},
        optional={
            "days": st.text() | st.sampled_from(["mon-fri", "sat,sun", "sun-"]),
            "start": st.text() | st.integers() | st.times().map(str),
            "end": st.none() | st.lists(st.integers()) | st.integers(0, 1440),
        },
    )
)
def test_any_period_is_a_tariff_or_refused(period: dict[str, Any]) -> None:
    try:
        made = tariff(period, timezone="UTC")
    except ValidationError:
        return
    prices = made.prices()
    assert prices is not None
    assert prices.price_per_kwh(at("2026-11-22T12:00")) >= 0


def test_one_way_to_say_a_price() -> None:
    day = {"timezone": "UTC", "periods": [{"price_per_kwh": 1}]}
    ((_, words),) = wrong(currency="EUR", price_per_kwh=1, tariff=day)
    assert "price_per_kwh and tariff exclude each other; leave one out" in words


@pytest.mark.parametrize(
    "values",
    [
        {"price_per_kwh": 0.3},
        {"tariff": {"timezone": "UTC", "periods": [{"price_per_kwh": 0.3}]}},
    ],
)
def test_a_price_needs_its_currency(values: dict[str, Any]) -> None:
    ((_, words),) = wrong(**values)
    assert "needs a currency, like EUR" in words


@pytest.mark.parametrize("currency", ["euro", "EURO", "XYZ", "eur", ""])
def test_a_currency_is_one_of_iso_4217(currency: str) -> None:
    ((place, words),) = wrong(currency=currency)
    assert place == "currency"
    assert "must be a currency of ISO 4217, like EUR" in words


def test_rates_convert_both_ways_and_keep_their_day() -> None:
    made = power(currency="EUR", fx=[USD]).exchange()
    assert made.convert(10, "USD", "EUR") == pytest.approx(9)
    assert made.convert(9, "EUR", "USD") == pytest.approx(10)
    assert made.convert(1, "GBP", "EUR") is None
    (rate,) = made.rates
    assert (rate.day, rate.source) == (date(2026, 11, 1), "ECB")
    (same,) = power(fx=[USD | {"date": date(2026, 11, 1)}]).exchange().rates
    assert same == rate


@pytest.mark.parametrize(
    ("entries", "place", "said"),
    [
        ([USD | {"rate": 0}], "fx.0.rate", "greater than 0"),
        ([USD | {"rate": -1}], "fx.0.rate", "greater than 0"),
        ([USD | {"from": "usd"}], "fx.0.from", "ISO 4217"),
        ([USD | {"to": "USD"}], "fx", "a currency is converted into another one"),
        ([USD, USD], "fx", "there are two rates of 2026-11-01"),
        ([USD | {"date": "yesterday"}], "fx.0.date", "a date like 2026-11-01"),
        # Not seconds since 1970.
        ([USD | {"date": 20261101}], "fx.0.date", "a date like 2026-11-01"),
        ([USD | {"date": datetime(2026, 11, 1, 12, tzinfo=UTC)}], "fx.0.date", "a date like"),
        ([USD | {"source": ""}], "fx.0.source", "at least 1 character"),
        ([{key: USD[key] for key in USD if key != "date"}], "fx.0.date", "Field required"),
    ],
)
def test_a_rate_that_cannot_be_used_is_named(
    entries: list[dict[str, Any]], place: str, said: str
) -> None:
    ((where, words),) = wrong(fx=entries)
    assert where == place
    assert said in words


def test_a_grids_figure_has_a_source() -> None:
    made = power(grid={"gco2e_per_kwh": 381, "source": "DE 2023"})
    assert made.grid is not None
    assert made.grid.grid() == Grid(gco2e_per_kwh=381.0, source="DE 2023")
    assert [place for place, _ in wrong(grid={"gco2e_per_kwh": 381})] == ["grid.source"]


def test_receipts_are_compared_with_one_baseline_of_the_catalogue() -> None:
    lambda_ = power().receipt_baseline()
    assert lambda_ is not None
    assert lambda_.name == "aws-lambda-arm64"
    assert power(baseline=None).receipt_baseline() is None
    with pytest.raises(ConfigurationError, match="there is no baseline 'nowhere'"):
        power(baseline="nowhere").receipt_baseline()


def test_an_operators_own_baselines_are_read_from_a_file(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text("[[baseline]]\nname = 'aws-lambda-arm64'\nspeed_factor = 'quick'\n")
    with pytest.raises(ConfigurationError, match=r"own\.toml: .*aws-lambda-arm64.*speed_factor"):
        power(baselines=own).catalogue()
    own.write_text("")
    assert "aws-lambda-arm64" in power(baselines=own).catalogue().baselines
    with pytest.raises(ConfigurationError, match=r"none\.toml cannot be read: No such file"):
        power(baselines=tmp_path / "none.toml").catalogue()


def test_the_documented_section_is_right() -> None:
    text = (Path(__file__).parents[3] / "docs" / "inventory.md").read_text(encoding="utf-8")
    (block,) = [
        part for part in text.split("```") if part.startswith("yaml\n") and "tariff" in part
    ]
    values = yaml.safe_load(block.removeprefix("yaml\n"))["farm"]["power"]
    documented = power(**values)
    prices = documented.prices()
    assert prices is not None
    assert prices.price_per_kwh(at("2026-11-23T12:00")) == 0.34
    assert values.keys() | {"price_per_kwh"} == Power.model_fields.keys()
