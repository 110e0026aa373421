"""A report says what a farm took and cost, beside clouds, by figures reckoned by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from farm.core.energy import EnergySource
from farm.core.ledger import (
    GroupBy,
    Incident,
    IncidentKind,
    LedgerAnswer,
    LedgerFigures,
    RequestCounts,
    Usage,
)
from farm.core.terms import FarmTerms, FxRate
from farm.energy.baselines import Baseline, Speed
from farm.energy.figures import Figure
from farm.energy.pricing_rules import EgressRule, FunctionRule, InstanceRule, TokenRule
from farm.energy.report import LedgerReading, Report, report

DAY_NS = 86_400_000_000_000
TODAY = date(2026, 11, 22)
DAY_COST = 0.2592

# A day: 10 W on average, 0.36 a kilowatt-hour, so 0.0864; boards' time costs 0.1728. A tenth of
# two nodes' time was used.
FIGURES = LedgerFigures(
    start_unix_ns=0,
    key="",
    window_s=86_400,
    batches=50_000,
    rows=100_000,
    usage=Usage(
        joules=864_000, low_j=800_000, high_j=1_000_000, measured_j=600_000, modelled_j=200_000,
        marginal_j=100_000, node_s=17_280, reference_s=70_000, cost=DAY_COST,
        power_cost=0.0864,
    ),
    wasted=Usage(joules=8_640, reference_s=1_000, cost=0.002),
    idle=Usage(joules=86_400, cost=0.02),
    counts=RequestCounts(
        answered=100_000, failed={"queue_full": 300, "cancelled": 100}, in_time=990, late=10,
        request_bytes=300_000_000, response_bytes=4_000_000, latency_s=1_000.0,
        latencies=[0] * 8 + [100_000] + [0] * 21,
    ),
)  # fmt: skip
TERMS = FarmTerms(nodes=2, currency="USD", price_per_kwh=0.36, capital_per_s=2e-6)
SPEED = Speed(factor=1.0, basis=EnergySource.ASSUMED, note="as quick")


def baseline(name: str = "fee", **changes: Any) -> Baseline:
    """A cloud that asks for 10 USD a million requests, and for nothing else."""
    fields: dict[str, Any] = {
        "name": name, "provider": "cloud", "service": "functions", "region": "moon",
        "currency": "USD", "read": date(2026, 11, 1), "source": "a page",
        "speed": SPEED,
        "rule": FunctionRule(
            price_per_gb_s=0.0, price_per_million_requests=10.0, granularity_ms=1, least_ms=1,
            least_memory_mb=128, memory_step_mb=1, most_memory_mb=10_240,
        ),
    }  # fmt: skip
    return Baseline(**{**fields, **changes})


def answer(*figures: LedgerFigures, **changes: Any) -> LedgerAnswer:
    fields: dict[str, Any] = {
        "figures": figures, "incidents": (), "currency": None, "begins_unix_ns": 0,
        "size_bytes": 0, "drops": 0,
    }  # fmt: skip
    return LedgerAnswer(**{**fields, **changes})


def made(
    whole: LedgerAnswer | LedgerFigures = FIGURES,
    terms: FarmTerms = TERMS,
    *,
    baselines: Sequence[Baseline] = (),
    egress: Sequence[Baseline] = (),
    groups: Mapping[GroupBy, Sequence[LedgerFigures]] | None = None,
    waste: Sequence[LedgerFigures] = (),
) -> Report:
    whole = answer(whole) if isinstance(whole, LedgerFigures) else whole
    reading = LedgerReading(
        since_unix_ns=0,
        until_unix_ns=DAY_NS,
        whole=whole,
        steps=whole.figures,
        step_s=86_400,
        groups=groups or {},
        waste=waste,
    )
    return report(reading, terms, farm="shelf", baselines=baselines, egress=egress, today=TODAY)


def figure(found: Report, section: str, key: str) -> Figure:
    (figures,) = [each.figures for each in (*found.levers, *found.sections) if each.key == section]
    (told,) = [each for each in figures if each.key == key]
    return told


def notes(found: Report, section: str) -> str:
    (said,) = [each.notes for each in (*found.levers, *found.sections) if each.key == section]
    return " ".join(said)


def test_its_head_line_has_the_four_levers() -> None:
    assert [each.key for each in made().levers] == ["latency", "egress", "cost", "incidents"]


def test_cost_is_at_the_actual_and_at_the_full_utilisation() -> None:
    found = made()
    assert figure(found, "utilisation", "utilisation").value == pytest.approx(0.1)
    actual = figure(found, "cost", "per_1000")
    assert actual.value == pytest.approx(DAY_COST / 100)
    # The band is that of the joules alone: boards cost what they cost.
    assert actual.band is not None
    assert actual.band.low == pytest.approx((DAY_COST - 64_000e-7) / 100)
    assert actual.band.high == pytest.approx((DAY_COST + 136_000e-7) / 100)
    # Of the cost 0.01 is for marginal joules; the rest is spread over ten times the requests.
    full = figure(found, "cost", "per_1000_full")
    assert full.value == pytest.approx(((DAY_COST - 0.01) + 0.1) / 1_000)
    assert figure(found, "utilisation", "most_per_day").value == pytest.approx(1_000_000)


def test_joules_of_a_request_say_how_much_was_measured() -> None:
    found = made()
    told = figure(found, "energy", "per_request")
    assert (told.value, told.source) == (pytest.approx(8.64), EnergySource.ASSUMED)
    assert told.note == "69% measured, 23% modelled, 7% assumed"
    assert figure(found, "energy", "marginal_per_request").value == pytest.approx(1.0)
    shares = [figure(found, "energy", each).value for each in ("measured", "modelled", "assumed")]
    assert sum(each or 0.0 for each in shares) == pytest.approx(1.0)


def test_what_was_all_measured_is_measured() -> None:
    usage = replace(FIGURES.usage, measured_j=864_000, modelled_j=0.0)
    found = made(replace(FIGURES, usage=usage))
    assert figure(found, "energy", "per_request").source is EnergySource.MEASURED
    # What nobody saw is modelled all the same.
    assert figure(found, "cost", "per_1000_full").source is EnergySource.MODELLED


def test_no_band_of_a_meter_is_told_as_its_makers() -> None:
    (energy,) = (section for section in made().sections if section.key == "energy")
    assert "its band being what is assumed for meters of its type" in " ".join(energy.notes)


def test_latency_and_deadlines() -> None:
    found = made()
    assert figure(found, "latency", "p50").value == pytest.approx((0.0113 + 0.016) / 2)
    assert figure(found, "latency", "mean").value == pytest.approx(0.01)
    met = figure(found, "latency", "sla_attainment")
    assert met.value == pytest.approx(0.99)
    assert met.note == (
        "of 1,000 requests that named one; refused and failed ones are late, cancelled ones not"
        " counted"
    )


def test_nobody_named_a_deadline() -> None:
    counts = replace(FIGURES.counts, in_time=0, late=0)
    told = figure(made(replace(FIGURES, counts=counts)), "latency", "sla_attainment")
    assert (told.value, told.note) == (None, "no request named a deadline")


def test_waste_is_what_answered_nobody_and_what_nobody_asked_for() -> None:
    found = made()
    assert figure(found, "waste", "wasted").value == 8_640
    assert figure(found, "waste", "wasted").note == "1.0% of all"
    assert figure(found, "waste", "idle_cost").value == 0.02


def test_nothing_wasted_costs_nothing_where_nothing_has_a_price() -> None:
    usage = replace(FIGURES.usage, cost=None)
    idle = replace(FIGURES.idle, cost=None)
    found = made(replace(FIGURES, usage=usage, wasted=Usage(), idle=idle))
    assert figure(found, "waste", "wasted_cost").value == 0
    assert figure(found, "waste", "idle_cost").value is None


def test_waste_is_told_by_kind() -> None:
    retried = Usage(joules=6_480, measured_j=6_480, cost=0.0015)
    expired = Usage(joules=2_160, modelled_j=2_160, cost=0.0005)
    found = made(
        waste=[
            LedgerFigures(start_unix_ns=0, key="expired", usage=expired, wasted=expired),
            LedgerFigures(start_unix_ns=0, key="retried", usage=retried, wasted=retried),
        ]
    )
    told = figure(found, "waste", "wasted_retried")
    assert (told.value, told.source, told.note) == (6_480, EnergySource.MEASURED, "0.8% of all")
    assert figure(found, "waste", "wasted_expired").source is EnergySource.MODELLED
    assert figure(found, "waste", "wasted_expired_cost").value == 0.0005
    # Keys stay, whatever happened; what an older version kept is told only where there is some.
    assert figure(found, "waste", "wasted_hedged").value == 0
    assert figure(found, "waste", "wasted_hedged_cost").value == 0
    assert "untold" not in " ".join(each.key for each in found.sections[3].figures)
    untold = [LedgerFigures(start_unix_ns=0, key="untold", usage=retried)]
    assert figure(made(waste=untold), "waste", "wasted_untold").value == 6_480


def test_a_saving_is_told_of_the_same_currency() -> None:
    (beside,) = made(baselines=[baseline()]).comparisons
    assert beside.figure("price_per_1000").value == pytest.approx(0.01)
    assert beside.saved == pytest.approx(1.0 - DAY_COST)
    assert beside.figure("saved_share").value == pytest.approx(0.7408)
    # 0.2492 a day and 1e-7 a request here, 1e-5 a request there.
    assert beside.figure("break_even_per_day").value == pytest.approx(0.2492 / 9.9e-6)
    assert beside.figure("saved").source is EnergySource.ASSUMED


def test_a_dearer_farm_saves_less_than_nothing() -> None:
    usage = replace(FIGURES.usage, cost=3.0)
    (beside,) = made(replace(FIGURES, usage=usage), baselines=[baseline()]).comparisons
    assert beside.saved == pytest.approx(-2.0)


def test_without_a_rate_both_prices_are_told_and_no_saving() -> None:
    (beside,) = made(terms=replace(TERMS, currency="EUR"), baselines=[baseline()]).comparisons
    assert beside.figure("price_per_1000").value == pytest.approx(0.01)
    assert beside.figure("price_per_1000").unit == "USD"
    assert (beside.saved, beside.break_even) == (None, None)
    assert "power.fx" in beside.figure("saved").note


def test_a_dated_rate_of_the_operator_converts_and_is_named() -> None:
    rate = FxRate(sold="USD", bought="EUR", rate=0.5, day=date(2026, 11, 20), source="a bank")
    terms = replace(TERMS, currency="EUR", fx=(rate,))
    (beside,) = made(terms=terms, baselines=[baseline()]).comparisons
    assert beside.saved == pytest.approx(0.5 - DAY_COST)
    assert "2026-11-20 (2 days old; a bank)" in beside.figure("converted_per_1000").note


def test_without_prices_cost_is_unknown_and_says_what_to_set() -> None:
    usage = replace(FIGURES.usage, cost=None)
    found = made(replace(FIGURES, usage=usage), FarmTerms(nodes=2), baselines=[baseline()])
    for key in ("per_1000", "per_1000_full", "total"):
        told = figure(found, "cost", key)
        assert told.value is None
        for name in ("power.price_per_kwh", "power.currency", "node.board_price"):
            assert name in told.note
    (beside,) = found.comparisons
    assert (beside.saved, beside.break_even) == (None, None)
    assert beside.price.per_1000 == pytest.approx(0.01)


def test_boards_without_a_price_are_named() -> None:
    found = made(terms=replace(TERMS, unpriced_hosts=("pi-7",)))
    assert "pi-7" in notes(found, "cost")


def test_money_goes_to_electricity_and_to_boards() -> None:
    found = made()
    assert figure(found, "spending", "electricity").value == pytest.approx(0.0864)
    assert figure(found, "spending", "boards").value == pytest.approx(0.1728)
    assert figure(found, "spending", "boards_per_day").value == pytest.approx(0.1728)
    assert figure(found, "spending", "price_per_kwh").value == pytest.approx(0.36)


def test_a_change_of_prices_changes_nothing_that_was_charged() -> None:
    cost = figure(made(), "cost", "per_1000").band
    dearer = made(terms=replace(TERMS, price_per_kwh=3.6, capital_per_s=2e-5))
    assert figure(dearer, "spending", "electricity").value == pytest.approx(0.0864)
    assert figure(dearer, "spending", "boards").value == pytest.approx(0.1728)
    assert figure(dearer, "spending", "price_per_kwh").value == pytest.approx(0.36)
    assert figure(dearer, "cost", "per_1000").band == cost


def test_what_an_older_version_recorded_is_split_by_todays_prices() -> None:
    untold = replace(FIGURES, usage=replace(FIGURES.usage, power_cost=None))
    found = made(untold, replace(TERMS, price_per_kwh=0.18))
    for key, value in (("electricity", 0.0432), ("boards", 0.216)):
        assert figure(found, "spending", key).value == pytest.approx(value)
        assert "prices of today" in figure(found, "spending", key).note
    assert "prices of today" not in figure(made(), "spending", "boards").note


def test_electricity_without_a_price_costs_nothing_that_is_known() -> None:
    boards = replace(FIGURES, usage=replace(FIGURES.usage, cost=0.1728, power_cost=0.0))
    told = figure(made(boards, replace(TERMS, price_per_kwh=None)), "spending", "electricity")
    assert told.value is None
    assert "electricity has no price" in told.note
    # Power that is free has a price, which is 0; so has what got one only later.
    for price in (0.0, 0.36):
        found = made(boards, replace(TERMS, price_per_kwh=price))
        assert figure(found, "spending", "electricity").value == 0.0
        assert figure(found, "spending", "boards").value == pytest.approx(0.1728)


def test_a_short_time_is_said_to_be_rough() -> None:
    (warning,) = made(replace(FIGURES, window_s=50.0)).warnings
    assert "ran for 50 s of this time" in warning


def test_a_window_that_is_still_open_has_no_joules_to_tell_of() -> None:
    found = made(replace(FIGURES, window_s=0.0))
    assert found.is_empty
    assert "ask again" in found.warnings[0]


def test_work_that_was_wasted_is_not_asked_of_a_cloud() -> None:
    hourly = InstanceRule(price_per_h=1.0, vcpus=1, memory_mb=1024, most_busy_share=1.0)
    (beside,) = made(baselines=[baseline(rule=hourly)]).comparisons
    # 69,000 core-seconds of 86,400, on one machine, for 24 hours.
    assert beside.price.total == pytest.approx(24.0)
    assert "79.86%" in " ".join(beside.price.assumptions)


def test_what_has_no_price_is_said_and_not_compared() -> None:
    tokens = TokenRule(price_per_million_input=1.0, price_per_million_output=1.0)
    found = made(baselines=[baseline("words", rule=tokens, speed=None)])
    assert found.comparisons == ()
    assert any("words is not compared" in warning for warning in found.warnings)


def test_egress_is_what_answers_would_have_cost() -> None:
    rule = EgressRule(tiers=((float("inf"), 1024.0),))
    found = made(egress=[baseline("out", rule=rule, speed=None)])
    told = figure(found, "egress", "avoided_out")
    assert told.value == pytest.approx(4_000_000 / 2**30 * 1024)
    assert "2026-11-01" in told.note
    assert figure(found, "egress", "request_bytes").value == 300_000_000


def test_stale_prices_are_said() -> None:
    old = baseline(read=date(2025, 1, 1))
    assert any("fee (2025-01-01)" in warning for warning in made(baselines=[old]).warnings)
    assert made(baselines=[baseline()]).warnings == ()


def test_carbon_by_the_grid_and_the_boards_making() -> None:
    told = figure(made(), "carbon", "total")
    assert (told.value, "power.grid" in told.note) == (None, True)
    terms = replace(TERMS, grid_gco2e_per_kwh=400.0, grid_source="a page", embodied_g_per_s=0.001)
    whole = figure(made(terms=terms), "carbon", "total")
    assert whole.value == pytest.approx(0.24 * 400 + 86.4)
    assert whole.note == ""
    part = figure(made(terms=replace(terms, embodied_g_per_s=None)), "carbon", "per_request")
    assert part.value == pytest.approx(0.24 * 400 / 100_000)
    assert "embodied" in part.note


def test_incidents_and_failures_are_counted_by_their_kind() -> None:
    happened = Incident(unix_ns=1, kind=IncidentKind.METER_LOST, subject="pi-1", detail="gone")
    found = made(answer(FIGURES, incidents=(happened,)))
    assert figure(found, "incidents", "incidents").note == "1 meter_lost"
    assert figure(found, "incidents", "failed").value == 400
    assert figure(found, "incidents", "failed").note == "300 queue_full, 100 cancelled"


def test_records_that_were_lost_are_said() -> None:
    found = made(answer(FIGURES, drops=1_234))
    assert any("1,234 records were lost" in warning for warning in found.warnings)


def test_a_ledger_that_begins_later_is_said() -> None:
    found = made(answer(FIGURES, begins_unix_ns=DAY_NS // 2))
    assert any("begins later" in warning for warning in found.warnings)


def test_an_empty_ledger_has_no_figures_at_all() -> None:
    found = made(answer(begins_unix_ns=None), baselines=[baseline()], egress=[baseline()])
    assert found.is_empty
    assert (found.levers, found.sections, found.comparisons) == ((), (), ())
    assert found.warnings == ("the ledger is empty: nothing was recorded yet",)


def test_a_time_of_which_nothing_is_known_says_so() -> None:
    (warning,) = made(answer(begins_unix_ns=5)).warnings
    assert "nothing of this time" in warning


def test_a_farm_that_nobody_asked_has_joules_and_no_request() -> None:
    idle = Usage(joules=100.0, modelled_j=100.0, cost=0.1)
    found = made(
        LedgerFigures(start_unix_ns=0, key="", window_s=60.0, usage=idle, idle=idle),
        baselines=[baseline()],
    )
    assert figure(found, "energy", "total").value == 100.0
    assert figure(found, "energy", "per_request").value is None
    assert figure(found, "cost", "per_1000").note == "no request was answered"
    assert found.comparisons == ()
    assert any("no request was answered" in warning for warning in found.warnings)


def test_of_a_node_requests_are_not_known() -> None:
    found = made(groups={GroupBy.NODE: [FIGURES], GroupBy.MODEL: [FIGURES]})
    (node,), (model,) = found.groups[GroupBy.NODE], found.groups[GroupBy.MODEL]
    assert node.figure("failed").value is None
    assert model.figure("failed").value == 400
    assert node.figure("cost_per_1000").value == pytest.approx(DAY_COST / 100)


def test_prices_that_were_taken_out_since_do_not_change_what_was_paid() -> None:
    found = made(answer(FIGURES, currency="CHF"), FarmTerms(nodes=2))
    assert figure(found, "cost", "total").value == DAY_COST
    assert figure(found, "cost", "total").unit == "CHF"
    assert figure(found, "spending", "electricity").value == pytest.approx(0.0864)
