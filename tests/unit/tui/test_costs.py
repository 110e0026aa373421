"""What is read off a ledger for the cost screen."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from farm_costs import DAY, DAY_S, NOW_NS, TERMS, Books

from farm.core.energy import EnergySource
from tui.glyphs import glyphs
from tui.readings import costs
from tui.readings.costs import Costs

MARKS = glyphs(ascii_only=True).sources


def read(books: Books | None = None) -> Costs:
    books = books or Books()
    return costs.read_costs(
        books.ledger,
        books.terms,
        NOW_NS - DAY_S * 1_000_000_000,
        NOW_NS,
        farm="shelf",
        now=datetime(2026, 11, 22, tzinfo=UTC),
        marks=MARKS,
    )


def figures(found: Costs) -> list[str]:
    return [line.plain for line in found.lines]


def test_every_figure_has_its_source_and_nothing_is_said_twice() -> None:
    told = figures(read())
    sources = {str(source) for source in EnergySource}
    of_figures = [line for line in told if line.startswith(" ")]
    assert all(sources & set(line.replace(",", "").split()) for line in of_figures), of_figures
    assert any("0.000259 EUR ~ 1,000 requests" in line for line in told)
    assert any("86.4 kJ = windows in which nothing ran  measured" in line for line in told)
    assert any("gCO2e ? all of this time" in line for line in told)
    assert not [line for line in of_figures if line.split()[:2] == ["0", "J"]]
    texts = [line for line in told if line]
    assert len(texts) == len(set(texts))


def test_without_prices_it_says_what_to_set_and_claims_nothing() -> None:
    unpriced = replace(DAY, usage=replace(DAY.usage, cost=None, power_cost=None))
    books = Books(day=unpriced, terms_told=replace(TERMS, currency=None, price_per_kwh=None))
    found = read(books)
    told = "\n".join(figures(found))
    assert "unknown" in told
    assert told.count("set power.price_per_kwh and power.currency") == 1
    compared = found.compared[0]
    assert compared.row[1] == "unknown"
    assert compared.break_even.ours == ()
    assert "what the farm cost is not known" in compared.break_even.title
    assert "this farm's is not known" in compared.over_time.title


def test_without_a_rate_of_the_operators_nothing_is_converted_and_that_is_said_once() -> None:
    found = read(Books(terms_told=replace(TERMS, fx=())))
    assert [line for line in figures(found) if "no dated rate" in line] != []
    assert sum("no saving is claimed" in line for line in figures(found)) == 1
    compared = found.compared[0]
    assert (compared.row[1], compared.row[3]) == ("unknown", "not claimed")
    assert compared.over_time.title.endswith(f"this farm (line), {compared.name}'s is not known")


def test_an_empty_ledger_says_so_and_has_no_figures() -> None:
    found = read(Books(day=None))
    assert figures(found) == ["the ledger is empty: nothing was recorded yet"]
    assert found.compared == ()


def test_a_baseline_has_its_price_its_day_and_where_the_farm_is_cheaper() -> None:
    row = {compared.name: compared.row for compared in read().compared}["gcp-cloud-run"]
    assert row[0] == "gcp-cloud-run"
    assert len(row) == len(costs.BASELINE_COLUMNS)
    assert row[1].endswith("%")
    assert row[2].endswith("USD")
    assert "requests a day" in row[3]
    assert row[4] == "2025-01-01 (stale)"
    assert row[5].endswith("EUR")


def test_lines_over_time_add_up_to_the_whole() -> None:
    compared = read().compared[0]
    pair = compared.over_time
    assert sum(value or 0 for _, value in pair.ours) == pytest.approx(DAY.usage.cost)
    assert all(0 <= at <= 1 for at, _ in (*pair.ours, *pair.theirs))
    assert [at for at, _ in pair.ours] == sorted(at for at, _ in pair.ours)
    assert compared.name in pair.title


def test_where_the_gateway_did_not_run_lines_have_a_gap() -> None:
    pair = read(Books(off=range(3, 10))).compared[0].over_time
    assert [index for index, (_, value) in enumerate(pair.ours) if value is None] == [3]


def test_break_even_marks_how_many_ask_now() -> None:
    pair = read().compared[0].break_even
    assert pair.mark is not None
    assert pair.mark[0] == pytest.approx(6 / 7, abs=1e-3)
    assert pair.mark[1] == "now: 1,000,000"
    assert pair.ours[0][0] == 0
    assert pair.ours[-1][0] == pytest.approx(1)
    assert "from " in pair.title
