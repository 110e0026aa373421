"""Who goes first: by priority, then deadline, then arrival."""

from harness import FLAT, OTHER, SCALE, Driver, arrivals, joined, request, spec

from farm.scheduling.events import ModelChanged, NodeLost, RequestArrived

MIXED = (
    request(1, priority=2, deadline=3.0),
    request(2),
    request(3, deadline=9.0),
    request(4, deadline=5.0),
    request(5),
    request(6, priority=2),
)


def test_requests_leave_by_priority_then_deadline_then_arrival(driver: Driver) -> None:
    driver.send(*(RequestArrived(one) for one in MIXED))
    assert driver.send(joined(curve=FLAT, slots=6)) == [
        "dispatch #1 [4] to a",
        "dispatch #2 [3] to a",
        "dispatch #3 [2] to a",
        "dispatch #4 [5] to a",
        "dispatch #5 [1] to a",
        "dispatch #6 [6] to a",
    ]


def test_a_batch_takes_the_most_urgent(driver: Driver) -> None:
    driver.send(ModelChanged(SCALE, spec(max_batch_size=4)))
    driver.send(*(RequestArrived(one) for one in MIXED))
    assert driver.send(joined()) == ["dispatch #1 [4 3 2 5] to a"]
    assert driver.finish(1)[-1] == "dispatch #2 [1 6] to a"


def test_a_large_request_at_the_head_is_not_overtaken_by_small_ones(driver: Driver) -> None:
    driver.send(
        RequestArrived(request(1, rows=5)),
        RequestArrived(request(2, rows=5)),
        RequestArrived(request(3, rows=1)),
    )
    assert driver.send(joined()) == ["dispatch #1 [1] to a"]
    assert driver.finish(1)[-1] == "dispatch #2 [2 3] to a"


def test_models_share_a_slot_by_the_urgency_of_their_requests(driver: Driver) -> None:
    driver.send(ModelChanged(OTHER, spec(OTHER)))
    driver.send(
        RequestArrived(request(1, priority=2)),
        RequestArrived(request(2, model=OTHER, priority=1)),
    )
    assert driver.send(joined(models=(SCALE, OTHER))) == ["dispatch #1 [2] to a"]
    assert driver.finish(1)[-1] == "dispatch #2 [1] to a"


def test_a_retried_request_keeps_its_place(driver: Driver) -> None:
    driver.send(joined("a"))
    driver.send(*arrivals(1))
    driver.send(*arrivals(2))
    driver.send(NodeLost(node_id="a", reason="unplugged"))
    assert driver.send(joined("b")) == ["dispatch #2 [1] to b"]
    assert driver.finish(2)[-1] == "dispatch #3 [2] to b"
