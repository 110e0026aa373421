"""Requests that run out of time, in the queue and in flight."""

from harness import Driver, joined, request

from farm.scheduling.events import RequestArrived, TimerFired


def test_the_deadline_passes_in_the_queue(driver: Driver) -> None:
    assert driver.send(RequestArrived(request(1, deadline=1.0))) == ["wake 1"]
    assert driver.advance_to(0.9) == []
    assert driver.advance_to(1.0) == ["reject 1 deadline_exceeded"]


def test_the_queueing_timeout_passes_in_the_queue(driver: Driver) -> None:
    late = request(1, queue_deadline=1.0, deadline=5.0)
    assert driver.send(RequestArrived(late)) == ["wake 1"]
    assert driver.advance_to(1.0) == ["reject 1 queue_timeout"]
    assert driver.rejected()[1].error.retry_after_s == driver.limits.pushback_s


def test_the_queueing_timeout_does_not_bind_in_flight(driver: Driver) -> None:
    driver.send(joined())
    assert driver.send(RequestArrived(request(1, queue_deadline=1.0))) == [
        "dispatch #1 [1] to a",
        "wake 1",
    ]
    assert driver.advance_to(2.0) == []
    assert driver.finish(1) == ["resolve 1", "ledger #1 completed"]


def test_the_deadline_still_binds_after_the_queueing_timeout(driver: Driver) -> None:
    driver.send(joined(), RequestArrived(request(1, queue_deadline=1.0, deadline=2.0)))
    assert driver.advance_to(1.0) == ["wake 2"]
    assert driver.advance_to(2.0) == ["cancel #1 at a", "reject 1 deadline_exceeded"]


def test_the_deadline_of_one_member_leaves_its_mates_alone(driver: Driver) -> None:
    pair = (RequestArrived(request(1, deadline=1.0)), RequestArrived(request(2)))
    driver.send(joined(), *pair)
    assert driver.advance_to(1.0) == ["reject 1 deadline_exceeded"]
    assert driver.finish(1) == ["resolve 2", "ledger #1 completed"]


def test_expired_work_is_not_dispatched_even_when_the_timer_is_late(driver: Driver) -> None:
    driver.send(
        RequestArrived(request(1, deadline=1.0)),
        RequestArrived(request(2, queue_deadline=1.0)),
        RequestArrived(request(3)),
    )
    driver.now = 2.0
    assert driver.send(joined()) == [
        "reject 1 deadline_exceeded",
        "reject 2 queue_timeout",
        "dispatch #1 [3] to a",
    ]


def test_only_an_earlier_deadline_moves_the_alarm(driver: Driver) -> None:
    assert driver.send(RequestArrived(request(1, deadline=5.0))) == ["wake 5"]
    assert driver.send(RequestArrived(request(2, deadline=2.0))) == ["wake 2"]
    assert driver.send(RequestArrived(request(3, deadline=9.0))) == []
    assert driver.advance_to(2.0) == ["reject 2 deadline_exceeded", "wake 5"]


def test_an_early_timer_arms_the_alarm_again(driver: Driver) -> None:
    driver.send(RequestArrived(request(1, deadline=5.0)))
    driver.now = 4.999
    assert driver.send(TimerFired()) == ["wake 5"]
    assert driver.advance_to(5.0) == ["reject 1 deadline_exceeded"]


def test_without_deadlines_there_is_no_alarm(driver: Driver) -> None:
    assert driver.send(RequestArrived(request(1))) == []
    assert driver.send(TimerFired()) == []
    assert driver.wake_at is None
