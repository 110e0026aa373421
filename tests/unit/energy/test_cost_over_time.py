"""Each step of a time has its own cost, and its own price in a cloud."""

from dataclasses import replace
from datetime import date

import pytest

from farm.core.energy import EnergySource
from farm.core.ledger import LedgerFigures, RequestCounts, Usage
from farm.core.terms import FarmTerms, FxRate
from farm.energy.baselines import Baseline, Speed
from farm.energy.cost_over_time import cost_over_time
from farm.energy.pricing_rules import FunctionRule, InstanceRule, TokenRule

HOUR_NS = 3_600_000_000_000
SPEED = Speed(factor=1.0, basis=EnergySource.ASSUMED, note="as quick")
BUSY = LedgerFigures(
    start_unix_ns=0,
    key="",
    window_s=3_600,
    usage=Usage(joules=36_000, modelled_j=36_000, node_s=360, reference_s=360, cost=0.02),
    counts=RequestCounts(answered=100_000),
)
IDLE = LedgerFigures(
    start_unix_ns=HOUR_NS, key="", window_s=3_600, usage=Usage(joules=9_000, cost=0.01)
)
OFF = LedgerFigures(start_unix_ns=2 * HOUR_NS, key="")
TERMS = FarmTerms(nodes=1, currency="EUR")
FUNCTION = Baseline(
    name="function", provider="cloud", service="functions", region="moon", currency="EUR",
    read=date(2026, 11, 1), source="a page", speed=SPEED,
    rule=FunctionRule(
        price_per_gb_s=0.0, price_per_million_requests=10.0, granularity_ms=1, least_ms=1,
        least_memory_mb=128, memory_step_mb=1, most_memory_mb=10_240,
    ),
)  # fmt: skip
MACHINE = replace(
    FUNCTION,
    name="machine",
    rule=InstanceRule(price_per_h=0.5, vcpus=2, memory_mb=4_096, most_busy_share=0.7),
)
TOKENS = replace(
    FUNCTION,
    name="tokens",
    rule=TokenRule(price_per_million_input=1.0, price_per_million_output=1.0),
)


def test_steps_are_priced_one_by_one() -> None:
    busy, idle = cost_over_time([BUSY, IDLE, OFF], TERMS, [FUNCTION, MACHINE, TOKENS])
    assert (busy.start_unix_ns, busy.answered, busy.cost) == (0, 100_000, 0.02)
    assert busy.prices == {"function": pytest.approx(1.0), "machine": 0.5, "tokens": None}
    # A machine costs as much where nobody asks.
    assert (idle.answered, idle.cost) == (0, 0.01)
    assert idle.prices == {"function": 0.0, "machine": 0.5, "tokens": None}


def test_prices_in_another_currency_need_a_rate() -> None:
    dollars = replace(FUNCTION, currency="USD")
    (unknown,) = cost_over_time([BUSY], TERMS, [dollars])
    assert unknown.prices == {"function": None}
    rate = FxRate(sold="USD", bought="EUR", rate=0.9, day=date(2026, 11, 1), source="a bank")
    (known,) = cost_over_time([BUSY], replace(TERMS, fx=(rate,)), [dollars])
    assert known.prices == {"function": pytest.approx(0.9)}


def test_without_prices_a_farm_has_no_cost() -> None:
    unpriced = replace(BUSY, usage=replace(BUSY.usage, cost=None))
    (step,) = cost_over_time([unpriced], TERMS, [FUNCTION])
    assert step.cost is None
    assert step.prices["function"] == pytest.approx(1.0)
