"""Drivers whose whole history is judged when the test ends."""

from collections.abc import Iterator

import pytest
from harness import Driver, MakeDriver, calm, spec

from farm.scheduling.events import ModelChanged
from farm.scheduling.placement import PlacementPolicy


@pytest.fixture
def make_driver() -> Iterator[MakeDriver]:
    """Make drivers that serve `scale`; at the end all are wound down and judged."""
    drivers: list[Driver] = []

    def make(*, policy: PlacementPolicy | None = None, **limits: float) -> Driver:
        driver = Driver(calm(**limits), policy=policy)
        drivers.append(driver)
        assert driver.send(ModelChanged(spec().key, spec())) == []
        return driver

    yield make
    for driver in drivers:
        if driver.sound:
            driver.check()
            driver.wind_down()
            driver.check_nothing_left()


@pytest.fixture
def driver(make_driver: MakeDriver) -> Driver:
    """A driver with the default limits."""
    return make_driver()
