"""Whatever a ledger has, a report of it can be written in every form."""

import json
from contextlib import redirect_stdout
from datetime import UTC, date, datetime
from io import StringIO

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from page_checks import checked

from farm.cli.axes import linear_axis, log_axis, time_axis
from farm.cli.report_html import page
from farm.cli.report_tables import print_report
from farm.core.ledger import GroupBy, LedgerAnswer, LedgerFigures, RequestCounts, Usage
from farm.core.terms import FarmTerms, FxRate
from farm.energy.catalogue import shipped_catalogue
from farm.energy.figures import work_figures
from farm.energy.report import LedgerReading, Report, Work, report
from farm.energy.report_data import document, table
from farm.energy.report_words import amount, digits, work_table

BEGAN_NS = 1_735_732_800_000_000_000
MINUTE_NS = 60_000_000_000
CATALOGUE = shipped_catalogue().baselines
COMPARED = [CATALOGUE[name] for name in ("aws-lambda-arm64", "aws-t4g-nano", "gcp-cloud-run")]
FX = FxRate(sold="USD", bought="EUR", rate=0.9, day=date(2026, 11, 1), source="a bank")

amounts = st.floats(min_value=1e-9, max_value=1e12) | st.just(0.0)
counts = st.integers(0, 10**9)
usages = st.builds(
    Usage,
    joules=amounts,
    low_j=amounts,
    high_j=amounts,
    measured_j=amounts,
    modelled_j=amounts,
    marginal_j=amounts,
    node_s=amounts,
    reference_s=amounts,
    cost=amounts | st.none(),
    power_cost=amounts | st.none(),
)
figures = st.builds(
    LedgerFigures,
    start_unix_ns=st.just(BEGAN_NS),
    key=st.text(max_size=20),
    window_s=st.just(0.0) | st.floats(1, 3600),
    usage=usages,
    wasted=usages,
    idle=usages,
    counts=st.builds(
        RequestCounts,
        answered=counts,
        failed=st.dictionaries(st.text(max_size=10), counts, max_size=3),
        in_time=counts,
        late=counts,
        request_bytes=counts,
        response_bytes=counts,
        latency_s=amounts,
        latencies=st.lists(counts, min_size=30, max_size=30),
    ),
)
known = amounts | st.none()
terms = st.builds(
    FarmTerms,
    nodes=st.integers(0, 64),
    currency=st.sampled_from([None, "EUR", "USD"]),
    price_per_kwh=known,
    capital_per_s=known,
    unpriced_hosts=st.lists(st.text(max_size=5), max_size=2).map(tuple),
    grid_gco2e_per_kwh=known,
    grid_source=st.text(max_size=10),
    embodied_g_per_s=known,
    fx=st.sampled_from([(), (FX,)]),
)


@st.composite
def reports(draw: st.DrawFn) -> Report:
    total = draw(st.lists(figures, max_size=1))
    reading = LedgerReading(
        since_unix_ns=BEGAN_NS,
        until_unix_ns=BEGAN_NS + 60 * MINUTE_NS,
        whole=LedgerAnswer(
            figures=tuple(total), incidents=(), currency=None, begins_unix_ns=draw(
                st.none() | st.just(BEGAN_NS)
            ), size_bytes=0, drops=draw(counts),
        ),
        steps=draw(st.lists(figures, max_size=3)),
        step_s=60,
        groups={GroupBy.MODEL: draw(st.lists(figures, max_size=3)), GroupBy.NODE: total},
    )  # fmt: skip
    return report(
        reading,
        draw(terms),
        farm=draw(st.text(max_size=10)),
        baselines=COMPARED,
        egress=[CATALOGUE["aws-egress"]],
        today=date(2026, 11, 22),
    )


@settings(max_examples=60, deadline=None)
@given(reports())
def test_every_report_can_be_written_in_every_form(found: Report) -> None:
    # A farm may be called so; a number may not.
    assume(not any(word in repr(found) for word in ("nan", "Infinity")))
    text = page(found, made=datetime(2026, 11, 22, tzinfo=UTC))
    shown = checked(text)
    assert shown.tags["script"] == 0
    assert not any(word in text for word in ('"nan"', '="inf"', ">nan<", "Infinity"))
    json.dumps(document(found), allow_nan=False)
    assert table(found).startswith("section,key,value,unit,source")
    with redirect_stdout(StringIO()) as printed:
        print_report(found, UTC)
    # Nothing that a stranger named moves the cursor.
    assert all(char.isprintable() or char == "\n" for char in printed.getvalue())


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (None, "J", "unknown"),
        (0.0, "J", "0 J"),
        (0.0123, "J", "12.3 mJ"),
        (1234.0, "J", "1.23 kJ"),
        (7.2e6, "J", "2.00 kWh"),
        (0.0555, "s", "55.5 ms"),
        (90.0, "s", "90.0 s"),
        (5400.0, "s", "90.0 min"),
        (90_000.0, "s", "25.0 h"),
        (0.5, "share", "50.0%"),
        (1234567.0, "requests", "1,234,567"),
        (1_500_000.0, "bytes", "1.50 MB"),
        (999.0, "bytes", "999 bytes"),
        (0.0000123, "EUR", "0.0000123 EUR"),
        (-0.00045, "EUR", "-0.000450 EUR"),
        (3.0, "", "3.00"),
    ],
)
def test_amounts(value: float | None, unit: str, said: str) -> None:
    assert amount(value, unit) == said


@settings(deadline=None)
@given(st.floats(min_value=-1e300, max_value=1e300))
def test_digits_are_off_by_half_a_percent_at_most(value: float) -> None:
    assert float(digits(value).replace(",", "")) == pytest.approx(value, rel=0.0051)


@settings(deadline=None)
@given(st.floats(min_value=1e-12, max_value=1e15))
def test_a_linear_axis_has_all_of_it_and_few_ticks(highest: float) -> None:
    axis = linear_axis(highest, "watts", str)
    assert axis.high >= highest * (1 - 1e-9)
    assert axis.ticks[-1][0] == pytest.approx(axis.high)
    assert 2 <= len(axis.ticks) <= 7


@settings(deadline=None)
@given(st.floats(min_value=1e-12, max_value=1e15), st.floats(min_value=1, max_value=1e12))
def test_a_logarithmic_axis_has_all_of_it_and_few_ticks(lowest: float, times: float) -> None:
    axis = log_axis(lowest, lowest * times, "watts", str)
    assert axis.low <= lowest * (1 + 1e-8)
    assert axis.high >= lowest * times * (1 - 1e-8)
    assert 1 <= len(axis.ticks) <= 9
    assert all(axis.low <= tick <= axis.high for tick, _ in axis.ticks)


@settings(deadline=None)
@given(st.integers(0, 2_000_000_000), st.integers(60, 86_400 * 365 * 3))
def test_an_axis_of_time_has_few_ticks_within_it(start_s: int, seconds: int) -> None:
    axis = time_axis(float(start_s), float(start_s + seconds), UTC)
    assert len(axis.ticks) <= 9
    assert all(start_s <= at <= start_s + seconds for at, _ in axis.ticks)


def test_ticks_of_time_are_at_round_moments() -> None:
    axis = time_axis(1_735_732_800.0, 1_735_732_800.0 + 86_400, UTC)
    assert [label for _, label in axis.ticks][:5] == ["12:00", "15:00", "18:00", "21:00", "02 Jan"]


def test_of_very_many_clients_those_that_took_most_are_shown() -> None:
    clients = tuple(
        Work(
            subject=f"client-{number}",
            start_unix_ns=BEGAN_NS,
            figures=work_figures(
                LedgerFigures(start_unix_ns=BEGAN_NS, key="", usage=Usage(joules=float(number))), ""
            ),
        )
        for number in range(1_234)
    )
    title, columns, rows = work_table("client", clients)
    assert title == "By client, the 50 of 1,234 that took most"
    assert [row[0] for row in rows[:2]] == ["client-1233", "client-1232"]
    assert (len(rows), len(rows[0])) == (50, len(columns))
    # Of which nothing is known is left out.
    assert "cost" not in columns
