"""A model that needs more threads than are ever free at once, on nodes without a look-ahead."""

import pytest
from harness import OTHER, SCALE, Driver, MakeDriver, arrivals, digest, joined, request, spec

from farm.core.errors import ErrorCode
from farm.core.models import LatencyCurve
from farm.scheduling.events import (
    ModelChanged,
    NodeChanged,
    NodeLost,
    RequestArrived,
    RequestCancelled,
)
from farm.scheduling.placement import POLICIES

NARROW = LatencyCurve(((1, 0.1),), threads=1)
WIDE = LatencyCurve(((1, 0.1),), threads=2)


def wide(id_: int, *, priority: int = 1, width: int = 2) -> RequestArrived:
    return RequestArrived(request(id_, model=OTHER, priority=priority, width=width))


def shared(driver: Driver, *node_ids: str) -> None:
    """Nodes of two threads and no look-ahead, whose second model takes both threads."""
    driver.send(ModelChanged(OTHER, spec(OTHER)))
    for node_id in node_ids:
        driver.send(
            joined(node_id, slots=2, lookahead=0, models=(SCALE, OTHER)),
            NodeChanged(node_id=node_id, ready={digest(SCALE): NARROW, digest(OTHER): WIDE}),
        )


def busy(driver: Driver, *node_ids: str) -> None:
    """One thread of each node runs a narrow batch: its number is the node's, from 1 on."""
    shared(driver, *node_ids)
    for number, node_id in enumerate(node_ids, start=1):
        assert driver.send(*arrivals(number)) == [f"dispatch #{number} [{number}] to {node_id}"]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("priority", [1, 2])
def test_it_is_not_starved_by_a_model_that_keeps_a_thread_busy(
    make_driver: MakeDriver, policy: str, priority: int
) -> None:
    driver = make_driver(policy=POLICIES[policy](1))
    busy(driver, "a")
    driver.send(wide(2, priority=priority))
    # Before each narrow batch ends another request for its model is there.
    for id_ in range(3, 20):
        driver.send(*arrivals(id_))
        driver.advance_to(driver.now + 0.1)
        driver.finish(min(driver.referee.flights))
    assert 2 in driver.resolved()


def test_only_one_node_is_reserved_and_the_others_go_on(driver: Driver) -> None:
    busy(driver, "a", "b")
    assert driver.send(wide(3)) == []
    assert driver.send(*arrivals(4)) == ["dispatch #3 [4] to b"]
    assert driver.send(*arrivals(5)) == []
    assert driver.finish(2)[-1] == "dispatch #4 [5] to b"
    assert driver.finish(1)[-1] == "dispatch #5 [3] to a"


def test_a_reserved_node_is_given_back_when_nobody_waits_for_it(driver: Driver) -> None:
    busy(driver, "a")
    driver.send(wide(2))
    assert driver.send(*arrivals(3)) == []
    assert driver.send(RequestCancelled(2)) == ["reject 2 cancelled", "dispatch #2 [3] to a"]


def test_another_node_is_reserved_when_the_first_is_gone(driver: Driver) -> None:
    busy(driver, "a", "b")
    driver.send(wide(3))
    assert driver.send(NodeChanged(node_id="a", cordoned=True)) == []
    assert driver.send(*arrivals(4)) == []
    assert driver.finish(2)[-1] == "dispatch #3 [3] to b"
    assert driver.send(NodeLost(node_id="a", reason="unplugged"))[-1] == "ledger #1 node_lost"


def test_another_node_may_be_free_first(driver: Driver) -> None:
    busy(driver, "a", "b")
    driver.send(wide(3))
    assert driver.finish(2)[-1] == "dispatch #3 [3] to b"
    # Nobody needs the reserved one any more.
    assert driver.send(*arrivals(4)) == ["dispatch #4 [4] to a"]


def test_one_that_was_reserved_for_a_request_it_failed_is_of_no_use(driver: Driver) -> None:
    shared(driver, "a", "b")
    assert driver.send(wide(1)) == ["dispatch #1 [1] to a"]
    assert driver.send(*arrivals(2)) == ["dispatch #2 [2] to b"]
    # It may not run again on a, which is idle; b is cleared for it, and a goes on.
    driver.fail(1, ErrorCode.UNREACHABLE)
    assert driver.send(*arrivals(3)) == ["dispatch #3 [3] to a"]
    assert driver.send(*arrivals(4)) == ["dispatch #4 [4] to a"]
    assert driver.send(*arrivals(5)) == []
    assert driver.finish(2)[-1] == "dispatch #5 [1] to b"
