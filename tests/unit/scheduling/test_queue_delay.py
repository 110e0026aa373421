"""Waiting for company: only beside a free slot, only where it pays, never too long."""

import pytest
from harness import (
    FLAT,
    OTHER,
    PAYING,
    SCALE,
    SOLO,
    Driver,
    MakeDriver,
    arrivals,
    joined,
    request,
    spec,
)

from farm.core.errors import ErrorCode
from farm.core.models import DynamicBatching, LatencyCurve, ModelKey
from farm.scheduling.events import ModelChanged, NodeChanged, RequestArrived, RequestCancelled

DELAY_S = 0.5
KNEE = LatencyCurve(((1, 0.1), (2, 0.1), (8, 0.8)))


def delayed(
    key: ModelKey = SCALE, *, preferred: tuple[int, ...] = (), max_batch_size: int = 4
) -> ModelChanged:
    """A model whose batches wait for up to half a second."""
    batching = DynamicBatching(preferred_batch_sizes=preferred, max_queue_delay_s=DELAY_S)
    return ModelChanged(key, spec(key, max_batch_size=max_batch_size, batching=batching))


def triggers(driver: Driver) -> list[str]:
    return [batch.trigger for batch, _, _ in driver.dispatched.values()]


def at(now: float, *ids: int) -> list[RequestArrived]:
    return [RequestArrived(request(id_, arrived_at=now)) for id_ in ids]


def test_a_batch_waits_until_the_delay_is_over(driver: Driver) -> None:
    driver.send(delayed(), joined(curve=PAYING))
    assert driver.send(*arrivals(1)) == ["wake 0.5"]
    driver.advance_to(0.4)
    assert driver.send(*at(0.4, 2)) == []
    assert driver.advance_to(0.49) == []
    assert driver.advance_to(0.5) == ["dispatch #1 [1 2] to a"]
    assert triggers(driver) == ["queue_delay"]


def test_a_full_batch_goes_at_once(driver: Driver) -> None:
    driver.send(delayed(), joined(curve=PAYING))
    assert driver.send(*arrivals(1, 2, 3)) == ["wake 0.5"]
    assert driver.send(*arrivals(4)) == ["dispatch #1 [1 2 3 4] to a"]
    assert triggers(driver) == ["full"]


def test_the_delay_counts_from_whoever_came_first(driver: Driver) -> None:
    driver.send(delayed(), joined(curve=PAYING))
    driver.send(*arrivals(1))
    driver.advance_to(0.3)
    driver.send(RequestArrived(request(2, arrived_at=0.3, priority=0)))
    assert driver.advance_to(0.5) == ["dispatch #1 [2 1] to a"]


def test_the_alarm_follows_whoever_still_waits(driver: Driver) -> None:
    driver.send(delayed(), joined(curve=PAYING))
    driver.send(*arrivals(1))
    driver.advance_to(0.3)
    driver.send(*at(0.3, 2))
    driver.send(RequestCancelled(1))
    assert driver.advance_to(0.5) == ["wake 0.8"]
    assert driver.advance_to(0.8) == ["dispatch #1 [2] to a"]


@pytest.mark.parametrize("curve", [None, FLAT], ids=["no curve", "flat"])
def test_nobody_waits_where_waiting_does_not_pay(
    driver: Driver, curve: LatencyCurve | None
) -> None:
    driver.send(delayed(), joined(curve=curve))
    assert driver.send(*arrivals(1)) == ["dispatch #1 [1] to a"]
    assert triggers(driver) == ["free_slot"]


def test_a_batch_of_the_best_size_waits_for_no_more(driver: Driver) -> None:
    driver.send(delayed(max_batch_size=8), joined(curve=KNEE))
    assert driver.send(*arrivals(1)) == ["wake 0.5"]
    assert driver.send(*arrivals(2)) == ["dispatch #1 [1 2] to a"]
    assert triggers(driver) == ["free_slot"]


def test_a_curve_that_is_measured_later_changes_whether_it_pays(driver: Driver) -> None:
    driver.send(delayed(), joined(curve=PAYING))
    driver.send(*arrivals(1))
    assert driver.send(NodeChanged(node_id="a", ready={"digest-scale:1": FLAT})) == [
        "dispatch #1 [1] to a"
    ]


def test_behind_a_busy_slot_there_is_no_delay(driver: Driver) -> None:
    driver.send(delayed(), joined(curve=PAYING, lookahead=1), *arrivals(1, 2, 3, 4))
    driver.advance_to(0.097)
    assert driver.send(*at(0.097, 5)) == ["dispatch #2 [5] to a"]
    assert triggers(driver) == ["full", "lookahead"]


def test_a_freed_slot_takes_what_has_waited_long_enough(driver: Driver) -> None:
    driver.send(delayed(), joined(curve=PAYING), *arrivals(1, 2, 3, 4))
    driver.send(*arrivals(5))
    driver.advance_to(0.4)
    assert driver.finish(1)[-1] == "wake 0.5"
    assert driver.advance_to(0.5) == ["dispatch #2 [5] to a"]
    driver.send(*at(0.5, 6))
    driver.advance_to(1.5)
    assert driver.finish(2)[-1] == "dispatch #3 [6] to a"


def test_who_waits_leaves_the_slot_to_others(driver: Driver) -> None:
    driver.send(delayed(), ModelChanged(OTHER, spec(OTHER)))
    driver.send(joined(curve=PAYING, models=(SCALE, OTHER)), *arrivals(1))
    other = request(2, model=OTHER, priority=2)
    assert driver.send(RequestArrived(other)) == ["dispatch #1 [2] to a"]


def test_no_more_than_half_of_the_time_to_spare_is_spent_on_waiting(driver: Driver) -> None:
    driver.send(delayed(), joined(curve=PAYING))
    # 0.501 s less 0.101 s of run leaves 0.4 s to spare.
    assert driver.send(RequestArrived(request(1, deadline=0.501))) == ["wake 0.2"]
    assert driver.advance_to(0.2) == ["dispatch #1 [1] to a", "wake 0.501"]
    assert triggers(driver) == ["deadline"]


def test_the_deadline_of_a_less_urgent_request_counts_too(driver: Driver) -> None:
    driver.send(delayed(), joined(curve=PAYING), *arrivals(1))
    hurried = request(2, priority=2, deadline=0.301)
    assert driver.send(RequestArrived(hurried)) == ["wake 0.1"]
    assert driver.advance_to(0.1)[0] == "dispatch #1 [1 2] to a"


def test_a_timeout_in_the_queue_is_not_waited_out_beside_a_free_slot(driver: Driver) -> None:
    driver.send(delayed(), joined(curve=PAYING))
    assert driver.send(RequestArrived(request(1, queue_deadline=0.3))) == ["wake 0.15"]
    assert driver.advance_to(0.15)[0] == "dispatch #1 [1] to a"


def test_a_deadline_that_cannot_be_met_does_not_wait(driver: Driver) -> None:
    driver.send(delayed(), joined(curve=PAYING))
    assert driver.send(RequestArrived(request(1, deadline=0.09)))[0] == "dispatch #1 [1] to a"


def test_a_request_that_must_run_alone_does_not_wait(driver: Driver) -> None:
    driver.send(delayed(), joined(curve=PAYING, slots=4), *arrivals(1, 2, 3, 4))
    assert driver.fail(1, ErrorCode.EXECUTION_FAILED, retryable=False)[-1] == (
        "dispatch #5 [4] to a"
    )


def test_an_unbatched_model_does_not_wait(driver: Driver) -> None:
    driver.send(delayed(SOLO, max_batch_size=0), joined(models=(SOLO,), curve=PAYING))
    assert driver.send(RequestArrived(request(1, model=SOLO))) == ["dispatch #1 [1] to a"]
    assert triggers(driver) == ["free_slot"]


def test_any_preferred_size_ends_the_wait(driver: Driver) -> None:
    driver.send(delayed(preferred=(8, 3), max_batch_size=8), joined(curve=PAYING))
    assert driver.send(*arrivals(1, 2)) == ["wake 0.5"]
    assert driver.send(*arrivals(3)) == ["dispatch #1 [1 2 3] to a"]
    assert triggers(driver) == ["preferred_size"]


def test_a_request_larger_than_every_preferred_size_does_not_wait(driver: Driver) -> None:
    driver.send(delayed(preferred=(2, 3), max_batch_size=8), joined(curve=PAYING))
    assert driver.send(RequestArrived(request(1, rows=4))) == ["dispatch #1 [1] to a"]
    assert triggers(driver) == ["free_slot"]


def test_a_batch_that_can_take_no_more_bytes_is_full(make_driver: MakeDriver) -> None:
    driver = make_driver(max_batch_bytes=16)
    driver.send(delayed(), joined(curve=PAYING), *arrivals(1))
    assert driver.send(*arrivals(2)) == ["dispatch #1 [1 2] to a"]
    assert triggers(driver) == ["full"]


def test_where_time_presses_a_smaller_batch_goes_than_preferred(driver: Driver) -> None:
    slope = LatencyCurve(((1, 0.1), (4, 0.3)))
    driver.send(delayed(preferred=(4,)), joined(curve=slope))
    hurried = [
        RequestArrived(request(id_, deadline=0.27 if id_ == 1 else 9.0)) for id_ in (1, 2, 3, 4)
    ]
    assert driver.send(*hurried)[0] == "dispatch #1 [1] to a"
    assert triggers(driver) == ["deadline"]
