"""What a report is told of an operator's prices."""

from dataclasses import replace
from datetime import date

import pytest

from farm.core.terms import FxRate
from farm.energy.carbon import Grid
from farm.energy.economics import YEAR_S, Economics, HostEconomics
from farm.energy.fx import Exchange
from farm.energy.tariff import Tariff
from farm.energy.terms import farm_terms

BOARD = HostEconomics(price=80.0, lifetime_years=4.0, embodied_kgco2e=40.0)
BOARD_PER_S = 80.0 / (4 * YEAR_S)
RATE = FxRate(sold="USD", bought="EUR", rate=0.9, day=date(2026, 11, 1), source="a bank")


def test_nodes_that_share_a_host_have_its_price_once() -> None:
    head = replace(BOARD, serves=False)
    hosts = {"a": BOARD, "b": BOARD, "away": BOARD, "head": head}
    economics = Economics(currency="EUR", hosts=hosts)
    terms = farm_terms(
        economics,
        machines={"a": "pi", "b": "pi"},
        grid=None,
        exchange=Exchange(),
        since_s=0.0,
        until_s=60.0,
    )
    assert terms.capital_per_s == pytest.approx(3 * BOARD_PER_S)
    assert terms.embodied_g_per_s == pytest.approx(3 * 40_000 / (4 * YEAR_S))
    # The head costs, and answers nothing.
    assert (terms.nodes, terms.unpriced_hosts, terms.price_per_kwh) == (3, (), None)


def test_hosts_of_which_nobody_told_are_named() -> None:
    terms = farm_terms(
        Economics(hosts={"a": BOARD}),
        machines={"a": "pi-a", "b": "pi-b"},
        grid=None,
        exchange=Exchange(),
        since_s=0.0,
        until_s=60.0,
    )
    assert (terms.unpriced_hosts, terms.untold_hosts) == (("pi-b",), ("pi-b",))
    assert terms.capital_per_s == pytest.approx(BOARD_PER_S)


def test_a_farm_without_prices_has_none() -> None:
    terms = farm_terms(
        Economics(), machines={"a": "pi"}, grid=None, exchange=Exchange(), since_s=0.0, until_s=1.0
    )
    assert (terms.currency, terms.price_per_kwh, terms.capital_per_s) == (None, None, None)
    assert terms.embodied_g_per_s is None


def test_a_price_that_changes_is_averaged_over_the_time() -> None:
    def per_j(unix_s: float) -> float:
        return Tariff.flat(0.2 if unix_s < 600 else 0.4).price_per_j(unix_s)

    terms = farm_terms(
        Economics(currency="EUR", tariff=per_j, overhead_w=6.0),
        machines={},
        grid=Grid(gco2e_per_kwh=381.0, source="a page"),
        exchange=Exchange(rates=(RATE,)),
        since_s=0.0,
        until_s=1200.0,
    )
    assert terms.price_per_kwh == pytest.approx(0.3, rel=1e-3)
    assert (terms.overhead_w, terms.grid_gco2e_per_kwh, terms.fx) == (6.0, 381.0, (RATE,))
