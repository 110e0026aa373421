"""Time that a batch waits at a node for its slot is time in the queue."""

from harness import SCALE, Driver, arrivals, joined, spec

from farm.scheduling.events import ModelChanged


def queue_s(driver: Driver, request_id: int) -> float:
    return driver.resolved()[request_id].receipt.queue_s


def test_a_batch_queued_behind_another_waits_until_that_one_ends(driver: Driver) -> None:
    driver.send(joined(lookahead=1), *arrivals(1))
    assert driver.send(*arrivals(2)) == ["dispatch #2 [2] to a"]
    driver.advance_to(0.5)
    driver.finish(1)
    driver.advance_to(0.75)
    driver.finish(2)
    assert queue_s(driver, 1) == 0.0
    assert queue_s(driver, 2) == 0.5


def test_one_that_fails_makes_room_too(driver: Driver) -> None:
    driver.send(joined(lookahead=1), *arrivals(1))
    driver.send(*arrivals(2))
    driver.advance_to(0.25)
    driver.fail(1)
    driver.advance_to(0.5)
    driver.finish(2)
    assert queue_s(driver, 2) == 0.25


def test_a_free_slot_is_taken_at_once(driver: Driver) -> None:
    driver.send(joined(slots=2), *arrivals(1))
    driver.send(*arrivals(2))
    driver.advance_to(0.5)
    driver.finish(2)
    assert queue_s(driver, 2) == 0.0


def test_requests_whose_rows_depend_on_each_other_run_alone(driver: Driver) -> None:
    driver.send(ModelChanged(SCALE, spec(joins=False)), joined(slots=2), *arrivals(1, 2))
    assert {tuple(m.id for m in b.members) for b, *_ in driver.dispatched.values()} == {(1,), (2,)}
    assert not any(b.batched for b, *_ in driver.dispatched.values())
