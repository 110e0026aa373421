"""Greenhouse gas of requests in the form of the SCI specification."""

import pytest

from farm.core.energy import Band
from farm.energy.carbon import Grid, carbon, embodied_g

GRID = Grid(gco2e_per_kwh=380, source="the grid's operator, of 2025")
ENERGY = Band(3.0e6, 3.6e6, 4.2e6)


def test_a_kilowatt_hour_and_a_share_of_a_board_over_the_requests() -> None:
    found = carbon(ENERGY, grid=GRID, embodied_g=20.0, requests=1000)
    assert found.operational_g == Band(
        pytest.approx(316.67, abs=0.01), 380, pytest.approx(443.33, abs=0.01)
    )
    assert found.total_g is not None
    assert found.total_g.typical == pytest.approx(400)
    assert found.per_request_g is not None
    assert found.per_request_g.typical == pytest.approx(0.4)
    assert found.lacks == ""


def test_there_is_no_default_grid() -> None:
    found = carbon(ENERGY, grid=None, embodied_g=20.0, requests=1000)
    assert found.operational_g is None
    assert found.total_g == Band.exactly(20.0)
    assert found.lacks == "energy, for want of the grid's gCO2e per kWh"


def test_a_board_that_nobody_told_of_is_lacking() -> None:
    found = carbon(ENERGY, grid=GRID, embodied_g=None, requests=1000)
    assert found.total_g == found.operational_g
    assert "making the boards" in found.lacks


def test_where_nothing_is_known_there_is_no_figure() -> None:
    found = carbon(ENERGY, grid=None, embodied_g=None, requests=1000)
    assert found.total_g is None
    assert found.per_request_g is None
    assert " and " in found.lacks


def test_without_requests_there_is_no_score() -> None:
    assert carbon(ENERGY, grid=GRID, embodied_g=1.0, requests=0).per_request_g is None


def test_a_boards_making_is_spread_over_its_lifetime() -> None:
    day = embodied_g(40.0, lifetime_years=4, seconds=86_400)
    assert day == pytest.approx(40_000 / (4 * 365.25))
