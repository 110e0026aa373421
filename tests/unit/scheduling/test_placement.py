"""Which node gets a batch."""

import pytest
from harness import FLAT, OTHER, PAYING, Driver, arrivals, joined

from farm.core.models import LatencyCurve
from farm.scheduling.effects import DispatchBatch
from farm.scheduling.events import NodeChanged, NodeLost

SLOW = LatencyCurve(((1, 0.2), (8, 0.2)))
NEARLY = LatencyCurve(((1, 0.11), (8, 0.11)))


def visits(driver: Driver, times: int) -> list[str]:
    """Where `times` requests run, one after the other."""
    for _ in range(times):
        id_ = len(driver.dispatched) + 1
        driver.send(*arrivals(id_))
        driver.finish(id_)
    return [node_id for _, node_id, _ in driver.dispatched.values()]


@pytest.mark.parametrize("curves", [(None, None, None), (PAYING, NEARLY, PAYING)])
def test_equal_nodes_that_are_idle_share(
    driver: Driver, curves: tuple[LatencyCurve | None, ...]
) -> None:
    for node_id, curve in zip("abc", curves, strict=True):
        driver.send(joined(node_id, curve=curve))
    assert visits(driver, 6) == ["a", "b", "c", "a", "b", "c"]


def test_a_faster_node_is_preferred(driver: Driver) -> None:
    driver.send(joined("a", curve=SLOW), joined("b", curve=PAYING))
    assert visits(driver, 3) == ["b", "b", "b"]


def test_a_slower_node_that_is_free_is_better_than_waiting(driver: Driver) -> None:
    driver.send(joined("a", curve=SLOW), joined("b", curve=PAYING))
    assert driver.send(*arrivals(1)) == ["dispatch #1 [1] to b"]
    assert driver.send(*arrivals(2)) == ["dispatch #2 [2] to a"]


def test_a_free_slot_is_better_than_a_place_behind_a_running_batch(driver: Driver) -> None:
    driver.send(joined("a", lookahead=1), joined("b", lookahead=1))
    assert driver.send(*arrivals(1)) == ["dispatch #1 [1] to a"]
    assert driver.send(*arrivals(2)) == ["dispatch #2 [2] to b"]


def test_work_spreads_over_all_slots(driver: Driver) -> None:
    driver.send(joined("a", curve=FLAT), joined("b", curve=FLAT, slots=2))
    assert driver.send(*arrivals(1, 2, 3, 4)) == [
        "dispatch #1 [1] to a",
        "dispatch #2 [2] to b",
        "dispatch #3 [3] to b",
    ]


@pytest.mark.parametrize(
    "out",
    [
        joined("a", models=(OTHER,)),
        NodeChanged(node_id="a", ready={}),
        NodeChanged(node_id="a", cordoned=True),
        NodeLost(node_id="a", reason="unplugged"),
    ],
    ids=["other model", "nothing ready", "cordoned", "lost"],
)
def test_a_node_that_must_get_nothing_is_skipped(
    driver: Driver, out: NodeChanged | NodeLost
) -> None:
    driver.send(joined("a"), joined("b"), out)
    assert visits(driver, 3) == ["b", "b", "b"]


def test_a_placement_names_its_policy_and_its_reason(driver: Driver) -> None:
    driver.send(joined("a"), *arrivals(1))
    (dispatch,) = driver.last()
    assert isinstance(dispatch, DispatchBatch)
    assert dispatch.placement.policy == "least_expected_completion"
    assert dispatch.placement.reason == "the only node with room"
