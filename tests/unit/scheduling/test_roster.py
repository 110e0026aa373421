"""Nodes that share their threads among models, and nodes that only look alike."""

from harness import OTHER, SCALE, Driver, arrivals, digest, joined, request, spec

from farm.core.models import LatencyCurve
from farm.scheduling.events import ModelChanged, NodeChanged, RequestArrived

NARROW = LatencyCurve(((1, 0.1),), threads=1)
WIDE = LatencyCurve(((1, 0.1),), threads=4)
QUICK = LatencyCurve(((1, 0.02),))


def other(id_: int) -> RequestArrived:
    return RequestArrived(request(id_, model=OTHER))


def shared(driver: Driver, node_id: str = "a") -> None:
    """A node of four threads whose second model takes all of them."""
    driver.send(
        ModelChanged(OTHER, spec(OTHER)),
        joined(node_id, slots=4, lookahead=1, models=(SCALE, OTHER)),
        NodeChanged(node_id=node_id, ready={digest(SCALE): NARROW, digest(OTHER): WIDE}),
    )


def test_a_model_on_many_threads_is_not_starved_by_one_on_few(driver: Driver) -> None:
    shared(driver)
    driver.send(*arrivals(1))
    driver.send(*arrivals(2))
    assert driver.send(other(3)) == ["dispatch #3 [3] to a"]
    # It waits at the node for all four threads, and nobody starts before it.
    driver.send(*arrivals(4))
    driver.finish(1)
    driver.finish(2)
    assert "resolve 3" in driver.finish(3)


def test_a_wide_batch_takes_its_threads_one_batch_at_a_time(driver: Driver) -> None:
    shared(driver)
    assert driver.send(other(1)) == ["dispatch #1 [1] to a"]
    assert driver.send(other(2), other(3))[-1].startswith("wake")
    assert driver.finish(1)[-1] == "dispatch #2 [2] to a"


def test_nodes_behind_a_bad_cable_do_not_stand_for_the_others(driver: Driver) -> None:
    driver.send(*(joined(node_id, curve=QUICK) for node_id in "abcd"))
    taken = []
    for id_ in range(1, 41):
        driver.send(*arrivals(id_))
        node_id = driver.dispatched[id_][1]
        taken.append(node_id)
        # Two of them are 0.3 s away.
        driver.advance_to(driver.now + (0.32 if node_id in "ab" else 0.021))
        driver.finish(id_)
    assert set(taken[-20:]) == {"c", "d"}
