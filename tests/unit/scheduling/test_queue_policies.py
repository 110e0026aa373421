"""How many requests of a priority wait, and what becomes of those that wait too long."""

from harness import FLAT, SCALE, Driver, MakeDriver, joined, request, spec

from farm.core.errors import ErrorCode
from farm.core.models import DynamicBatching, QueuePolicy, TimeoutAction
from farm.scheduling.events import ModelChanged, NodeLost, RequestArrived, RequestCancelled

PATIENT = QueuePolicy(timeout_action=TimeoutAction.DELAY)


def configured(
    queue: QueuePolicy, by_priority: dict[int, QueuePolicy] | None = None
) -> ModelChanged:
    batching = DynamicBatching(queue=queue, queue_by_priority=by_priority or {})
    return ModelChanged(SCALE, spec(batching=batching))


def arrive(
    id_: int,
    *,
    priority: int = 1,
    queue_deadline: float | None = None,
    deadline: float | None = None,
) -> RequestArrived:
    return RequestArrived(
        request(id_, priority=priority, queue_deadline=queue_deadline, deadline=deadline)
    )


# -- how many -----------------------------------------------------------------------------


def test_as_many_wait_as_the_policy_of_their_priority_says(driver: Driver) -> None:
    driver.send(configured(QueuePolicy(max_queue_size=1), {2: QueuePolicy(max_queue_size=2)}))
    assert driver.send(arrive(1), arrive(2, priority=2), arrive(3, priority=2)) == []
    assert driver.send(arrive(4), arrive(5, priority=2), arrive(6, priority=3)) == [
        "reject 4 queue_full",
        "reject 5 queue_full",
    ]
    error = driver.rejected()[5].error
    assert error.retry_after_s == driver.limits.pushback_s
    assert "2 requests of priority 2 wait for model 'scale'" in error.message


def test_whoever_leaves_makes_room_for_its_own_priority(driver: Driver) -> None:
    driver.send(configured(QueuePolicy(max_queue_size=1)))
    driver.send(arrive(1), arrive(2, priority=2), RequestCancelled(1))
    assert driver.send(arrive(3), arrive(4, priority=2)) == ["reject 4 queue_full"]
    driver.send(joined())
    assert driver.send(arrive(5, priority=2)) == []


def test_without_a_bound_the_farms_own_holds(make_driver: MakeDriver) -> None:
    driver = make_driver(max_queue_size=2, fair=False)
    driver.send(configured(QueuePolicy(max_queue_size=3)))
    assert driver.send(arrive(1), arrive(2), arrive(3)) == ["reject 3 queue_full"]


# -- how long -----------------------------------------------------------------------------


def test_a_delayed_request_goes_behind_all_of_its_priority_but_no_others(driver: Driver) -> None:
    driver.send(configured(PATIENT))
    driver.send(arrive(1, queue_deadline=1.0), arrive(2, priority=2), arrive(3))
    assert driver.advance_to(1.0) == []
    driver.send(arrive(4))
    assert driver.send(joined(curve=FLAT, slots=4)) == [
        "dispatch #1 [3] to a",
        "dispatch #2 [4] to a",
        "dispatch #3 [1] to a",
        "dispatch #4 [2] to a",
    ]


def test_delayed_requests_keep_their_order(driver: Driver) -> None:
    driver.send(configured(PATIENT))
    driver.send(arrive(1, queue_deadline=1.0), arrive(2, queue_deadline=0.5, deadline=9.0))
    driver.send(arrive(3, queue_deadline=0.7))
    driver.advance_to(1.0)
    assert driver.send(joined())[0] == "dispatch #1 [2 1 3] to a"


def test_the_deadline_still_ends_a_delayed_request(driver: Driver) -> None:
    driver.send(configured(PATIENT))
    driver.send(arrive(1, queue_deadline=1.0, deadline=2.0))
    assert driver.advance_to(1.0) == ["wake 2"]
    assert driver.advance_to(2.0) == ["reject 1 deadline_exceeded"]


def test_a_delayed_request_can_be_cancelled(driver: Driver) -> None:
    driver.send(configured(PATIENT), arrive(1, queue_deadline=1.0), arrive(2))
    driver.advance_to(1.0)
    assert driver.send(RequestCancelled(1)) == ["reject 1 cancelled"]
    assert driver.send(joined()) == ["dispatch #1 [2] to a"]


def test_whether_to_delay_is_decided_for_each_priority(driver: Driver) -> None:
    driver.send(configured(QueuePolicy(), {2: PATIENT}))
    driver.send(arrive(1, queue_deadline=1.0), arrive(2, priority=2, queue_deadline=1.0))
    assert driver.advance_to(1.0) == ["reject 1 queue_timeout"]
    assert driver.send(joined()) == ["dispatch #1 [2] to a"]


def test_a_delayed_request_is_retried_behind_the_others(driver: Driver) -> None:
    driver.send(configured(PATIENT), arrive(1, queue_deadline=1.0))
    driver.advance_to(1.0)
    driver.send(joined("a"))
    driver.send(arrive(2))
    driver.send(NodeLost(node_id="a", reason="unplugged"))
    assert driver.send(joined("b")) == ["dispatch #2 [2] to b"]
    assert driver.finish(2)[-1] == "dispatch #3 [1] to b"


def test_what_has_run_is_not_delayed(driver: Driver) -> None:
    driver.send(configured(PATIENT), joined("a"), joined("b"), arrive(1, queue_deadline=1.0))
    driver.send(arrive(2))
    driver.fail(1, ErrorCode.UNREACHABLE)
    driver.advance_to(1.0)
    driver.send(arrive(3))
    assert driver.finish(2)[-1] == "dispatch #4 [1] to b"
