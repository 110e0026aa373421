"""A host as a machine: its board, its meter, its price."""

from typing import Any

import pytest
from pydantic import ValidationError

from farm.energy.boards import boards
from farm.energy.economics import HostEconomics
from farm.energy.meters import ACCURACY
from farm.sections.hardware import Hardware
from farm.sections.meter import Meter, MeterType


def test_a_machine_of_which_nothing_is_said_is_asked() -> None:
    assert Hardware().economics() == HostEconomics()


def test_a_machine_costs_what_it_is_said_to() -> None:
    machine = Hardware(board="rpi5-8gb", board_price=80, lifetime_years=2, embodied_kgco2e=12)
    assert machine.economics("pi-1") == HostEconomics(
        host="pi-1", board="rpi5-8gb", price=80.0, lifetime_years=2.0, embodied_kgco2e=12.0
    )


@pytest.mark.parametrize("name", [*boards(), "rpi5-16gb", "rpi-zero2w-512mb"])
def test_every_board_that_has_figures_may_be_named(name: str) -> None:
    assert Hardware(board=name).board == name


@pytest.mark.parametrize(
    "values",
    [
        {"board": "rpi99"},
        {"board": "x" * 100_000},
        {"board_price": -1},
        {"board_price": "inf"},
        {"lifetime_years": 0},
        {"lifetime_years": 101},
        {"embodied_kgco2e": -1},
    ],
)
def test_what_no_machine_can_be_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        Hardware(**values)
    assert [problem["loc"] for problem in caught.value.errors()] == [tuple(values)]


def test_every_type_of_meter_has_its_accuracy() -> None:
    assert set(MeterType) == set(ACCURACY)


@pytest.mark.parametrize(
    "values",
    [
        {"type": "plug"},
        {"type": "shelly"},
        {"type": "rapl", "url": "http://198.18.0.90"},
        {"type": "http", "url": "http://198.18.0.90"},
        {"type": "tasmota", "url": "http://198.18.0.90", "watts_at": "power"},
        {"type": "shelly", "url": "ftp://198.18.0.90"},
        {"type": "shelly", "url": "198.18.0.90"},
        {"type": "shelly", "url": "http://user:geheim@198.18.0.90"},
        {"type": "shelly", "url": "http://198.18.0.90", "channel": -1},
        {"type": "pmic", "interval_s": 0.1},
        {"type": "pmic", "interval_s": 31},
        {"type": "pmic", "interval_s": "nan"},
        {"type": "rapl", "interval_s": 2},
        {"type": "pmic", "max_w": 0},
        {"type": "pmic", "max_w": "inf"},
    ],
)
def test_what_no_meter_can_be_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Meter(**values)


@pytest.mark.parametrize(
    "values",
    [
        {"type": "pmic", "interval_s": 0.2},
        {"type": "tasmota", "url": "http://198.18.0.91", "interval_s": 30, "max_w": 2300},
        {"type": "rapl", "interval_s": 0.5},
    ],
)
def test_how_often_it_is_asked_and_what_it_may_tell(values: dict[str, Any]) -> None:
    meter = Meter(**values)
    assert (meter.interval_s, meter.max_w) == (values["interval_s"], values.get("max_w"))


def test_the_accounting_knows_of_a_bound_that_somebody_set() -> None:
    assert Hardware(meter=Meter(type=MeterType.PMIC, max_w=40)).economics().meter_max_w == 40.0
    assert Hardware(meter=Meter(type=MeterType.PMIC)).economics().meter_max_w is None
