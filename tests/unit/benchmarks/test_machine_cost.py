"""The farms on which the scheduler's own cost is measured."""

import pytest

from benchmarks.machine_cost import LOADS, shelf
from farm.sim.workload import ClosedPlan, OpenPlan


@pytest.mark.parametrize("load", LOADS)
def test_a_load_is_the_share_that_it_is_called_after(load: str) -> None:
    setup = shelf(8, load, 100)
    assert setup.capacity_rows_per_s is not None
    if load == "saturated":
        assert isinstance(setup.workload, ClosedPlan)
    else:
        assert isinstance(setup.workload, OpenPlan)
        share = float(load.removesuffix(" %")) / 100
        assert setup.workload.peak == pytest.approx(share * setup.capacity_rows_per_s)
