"""How many requests a day make a farm cheaper than a baseline, or dearer."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.energy.baselines import Workload, total_price
from farm.energy.break_even import BreakEven, FarmCost, break_even
from farm.energy.catalogue import shipped_catalogue
from farm.energy.pricing_rules import DAY_S

FARM = FarmCost(fixed_per_day=1.0, per_request=1e-6, most_per_day=10_000_000)


def against(price_per_request: float, fixed: float = 0.0, farm: FarmCost = FARM) -> BreakEven:
    found = break_even(farm, lambda requests: fixed + price_per_request * requests)
    assert found is not None
    return found


def test_a_farm_pays_from_where_its_fixed_cost_is_earned() -> None:
    found = against(3e-6)
    [(low, high)] = found.cheaper
    assert low == pytest.approx(500_000)
    assert high == pytest.approx(FARM.most_per_day)
    assert found.said == "from 500,000 requests a day"
    assert not found.always
    assert not found.never


def test_a_farm_that_is_dearer_at_all_it_can_serve_never_pays() -> None:
    found = against(1.05e-6)
    assert found.never
    assert found.cheaper == ()
    assert found.said == "never, not even at the farm's 10,000,000 requests a day"


def test_a_farm_that_costs_less_than_the_machine_that_idles_always_pays() -> None:
    found = against(2e-6, fixed=2.0)
    assert found.always
    assert found.said == "always, up to the farm's 10,000,000 requests a day"


def test_a_farm_may_pay_up_to_some_rate() -> None:
    found = against(0.0, fixed=2.0)
    [(low, high)] = found.cheaper
    assert low == 1
    assert high == pytest.approx(1_000_000)
    assert found.said == "up to 1,000,000 requests a day"


def test_steps_of_a_baseline_make_several_spans() -> None:
    found = break_even(FARM, lambda requests: 0.5 if 1000 < requests < 100_000 else 1.5)
    assert found is not None
    assert len(found.cheaper) == 2
    assert found.said == "up to 1,000 requests a day and from 100,000 to 500,000"


def test_a_baseline_without_a_price_has_no_break_even() -> None:
    assert break_even(FARM, lambda _requests: None) is None


@settings(max_examples=60, deadline=None)
@given(
    st.floats(0, 1e3), st.floats(0, 1e-2), st.floats(0, 1e9), st.floats(0, 1e-2), st.floats(0, 1e3)
)
def test_spans_are_where_the_points_say(
    fixed: float, per_request: float, most: float, price: float, price_fixed: float
) -> None:
    farm = FarmCost(fixed_per_day=fixed, per_request=per_request, most_per_day=most)
    found = against(price, price_fixed, farm)
    for point in found.points:
        inside = any(low <= point.requests <= high for low, high in found.cheaper)
        # A point may lie on the end of a span.
        assert inside or not point.farm_is_cheaper
    assert found.always == all(point.farm_is_cheaper for point in found.points)
    assert [point.requests for point in found.points] == sorted(
        point.requests for point in found.points
    )


def test_against_lambda_by_hand() -> None:
    # A Pi of 100 USD over three years and 3 W at 0.16 USD/kWh cost 0.1028 USD a day; a request of
    # 50 ms costs 1.3517e-6 USD there.
    per_day = 100 / (3 * 365.25) + 3 * 24 / 1000 * 0.16
    farm = FarmCost(fixed_per_day=per_day, per_request=0.0, most_per_day=4 * DAY_S / 0.05)
    work = Workload(requests=1, seconds=DAY_S, compute_s=0.05)
    baseline = shipped_catalogue().baseline("aws-lambda-arm64")
    found = break_even(farm, lambda requests: total_price(baseline, work.at(requests, DAY_S)))
    assert found is not None
    [(low, _)] = found.cheaper
    assert low == pytest.approx(per_day / 1.3517e-6, rel=1e-4)
