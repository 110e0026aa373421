"""A request waits for a quicker node, or takes the slow one that is free."""

import pytest
from harness import PAYING, Driver, arrivals, joined, request
from hypothesis import given
from hypothesis import strategies as st

from farm.core.models import LatencyCurve
from farm.scheduling.events import NodeLost, RequestArrived
from farm.scheduling.patience import Choice, Demand, hold

# Eight times slower, and batches pay on neither.
QUICK = LatencyCurve(((1, 0.02), (8, 0.16)))
SLOW = LatencyCurve(((1, 0.16), (8, 1.28)))


def choice(
    *,
    now_s: float = 0.16,
    later_s: float = 0.03,
    rate: float = 50.0,
    waiting: int = 1,
    demand: float = 0.0,
) -> Choice:
    return Choice(now_s=now_s, later_s=later_s, rate=rate, waiting=waiting, demand=demand)


def waits(offer: Choice, *, arrived_at: float = 0.0, deadline: float | None = None) -> bool:
    return hold(offer, arrived_at=arrived_at, deadline=deadline, now=0.0) is not None


def test_it_waits_where_that_is_much_sooner() -> None:
    assert waits(choice())


@pytest.mark.parametrize(
    "offer",
    [
        choice(later_s=0.15),
        choice(later_s=0.2),
        choice(waiting=20),
        choice(demand=49.0),
        choice(demand=500.0),
    ],
    ids=["hardly sooner", "later", "a crowd behind it", "the crowd comes", "overload"],
)
def test_it_takes_the_slow_node(offer: Choice) -> None:
    assert not waits(offer)


def test_it_waits_no_longer_than_the_slow_node_would_take() -> None:
    assert waits(choice(), arrived_at=-0.1)
    assert not waits(choice(), arrived_at=-0.16)


def test_it_does_not_gamble_with_its_deadline() -> None:
    assert not waits(choice(), deadline=0.2)
    assert waits(choice(), deadline=0.4)


@given(
    now_s=st.floats(0.001, 10),
    later_s=st.floats(0.0005, 10),
    rate=st.floats(0.1, 1e5),
    waiting=st.integers(1, 10_000),
    demand=st.floats(0, 1e5),
    waited_s=st.floats(0, 20),
)
def test_the_wait_is_bounded(
    now_s: float, later_s: float, rate: float, waiting: int, demand: float, waited_s: float
) -> None:
    offer = Choice(now_s=now_s, later_s=later_s, rate=rate, waiting=waiting, demand=demand)
    held = hold(offer, arrived_at=-waited_s, deadline=None, now=0.0)
    if held is not None:
        assert 0 < held.until <= min(now_s - waited_s, now_s - later_s)
        assert held.crowd > waiting


def test_demand_is_the_rate_of_the_last_second() -> None:
    demand = Demand()
    for step in range(500):
        demand.add(2, step / 100)
    assert demand.rows_per_s(5.0) == pytest.approx(200, rel=0.02)
    assert demand.rows_per_s(10.0) < 2


def shelf(driver: Driver) -> None:
    driver.send(joined("pi3", curve=SLOW, slots=4), joined("pi5", curve=QUICK))


def test_a_request_waits_for_the_quick_node(driver: Driver) -> None:
    shelf(driver)
    assert driver.send(*arrivals(1)) == ["dispatch #1 [1] to pi5"]
    assert driver.send(*arrivals(2))[-1].startswith("wake")
    driver.advance_to(0.02)
    assert driver.finish(1) == ["resolve 1", "ledger #1 completed", "dispatch #2 [2] to pi5"]


def test_the_slow_node_works_where_enough_wait(driver: Driver) -> None:
    shelf(driver)
    driver.send(*arrivals(*range(1, 12)))
    taken = [node_id for _, node_id, _ in driver.dispatched.values()]
    assert taken.count("pi5") == 1
    assert taken.count("pi3") == 4


def test_a_quick_node_that_dies_is_not_waited_for(driver: Driver) -> None:
    shelf(driver)
    driver.send(*arrivals(1))
    driver.send(*arrivals(2))
    assert "dispatch #3 [2] to pi3" in driver.send(NodeLost(node_id="pi5", reason="unplugged"))


def test_a_quick_node_that_does_not_come_back_is_not_waited_for_for_ever(driver: Driver) -> None:
    shelf(driver)
    driver.send(*arrivals(1))
    driver.send(*arrivals(2))
    assert "dispatch #2 [2] to pi3" in driver.advance_to(0.16)


def test_a_deadline_is_not_gambled_with(driver: Driver) -> None:
    shelf(driver)
    driver.send(*arrivals(1))
    hurried = RequestArrived(request(2, deadline=0.19))
    assert driver.send(hurried)[0] == "dispatch #2 [2] to pi3"


def test_equal_nodes_are_never_waited_for(driver: Driver) -> None:
    driver.send(joined("a", curve=PAYING), joined("b", curve=PAYING))
    driver.send(*arrivals(1))
    assert driver.send(*arrivals(2)) == ["dispatch #2 [2] to b"]
