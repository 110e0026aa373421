"""Who is let in, and what the others are told."""

import pytest
from harness import OTHER, SCALE, SOLO, Driver, MakeDriver, arrivals, joined, request, spec

from farm.core.models import ModelKey
from farm.core.requests import InferenceRequest
from farm.scheduling.events import ModelChanged, RequestArrived, RequestCancelled


@pytest.mark.parametrize(
    ("refused", "code", "says"),
    [
        (request(1, model=OTHER), "model_not_found", "'other' version 1"),
        (request(1, model=ModelKey("scale", 2)), "model_not_found", "'scale' version 2"),
        (request(1, rows=9), "invalid_request", "9 rows"),
        (request(1, deadline=0.0), "deadline_exceeded", "had passed when"),
        (request(1, deadline=-1.0), "deadline_exceeded", "had passed when"),
        (request(1, queue_deadline=0.0), "queue_timeout", "timeout"),
    ],
)
def test_refused(driver: Driver, refused: InferenceRequest, code: str, says: str) -> None:
    driver.send(joined(models=(SCALE, OTHER)))
    assert driver.send(RequestArrived(refused)) == [f"reject 1 {code}"]
    assert says in driver.rejected()[1].error.message
    assert driver.machine.accepted == 0


def test_as_many_rows_as_the_model_takes_are_welcome(driver: Driver) -> None:
    driver.send(joined())
    assert driver.send(RequestArrived(request(1, rows=8))) == ["dispatch #1 [1] to a"]


def test_an_unbatched_model_has_no_rows_to_limit(driver: Driver) -> None:
    driver.send(ModelChanged(SOLO, spec(SOLO, max_batch_size=0)), joined(models=(SOLO,)))
    assert driver.send(RequestArrived(request(1, model=SOLO))) == ["dispatch #1 [1] to a"]


def test_a_request_is_welcome_before_any_node_is(driver: Driver) -> None:
    assert driver.send(*arrivals(1)) == []
    assert driver.machine.accepted == driver.machine.queued(SCALE) == 1


def test_a_full_queue_pushes_back(make_driver: MakeDriver) -> None:
    driver = make_driver(max_queue_size=2, pushback_s=0.5)
    clients = [RequestArrived(request(id_, client=f"client {id_}")) for id_ in (1, 2, 3)]
    assert driver.send(*clients) == ["reject 3 queue_full"]
    error = driver.rejected()[3].error
    assert error.retry_after_s == 0.5
    assert "the queue of model 'scale' is full; retry after 0.5 s" in error.message
    assert driver.machine.accepted == 2


def test_a_full_queue_is_one_models_affair(make_driver: MakeDriver) -> None:
    driver = make_driver(max_queue_size=1)
    driver.send(ModelChanged(OTHER, spec(OTHER)))
    driver.send(*arrivals(1))
    assert driver.send(RequestArrived(request(2, model=OTHER))) == []


def test_what_runs_does_not_fill_the_queue(make_driver: MakeDriver) -> None:
    driver = make_driver(max_queue_size=1, max_queued_bytes=8)
    driver.send(joined(), *arrivals(1))
    assert driver.send(*arrivals(2)) == []
    assert driver.send(*arrivals(3)) == ["reject 3 queue_full"]


def test_bytes_are_bounded_over_all_models(make_driver: MakeDriver) -> None:
    driver = make_driver(max_queued_bytes=24, fair=False)
    driver.send(ModelChanged(OTHER, spec(OTHER)))
    driver.send(RequestArrived(request(1, rows=2)))
    assert driver.send(RequestArrived(request(2, model=OTHER, rows=2))) == ["reject 2 queue_full"]
    assert driver.rejected()[2].error.retry_after_s == driver.limits.pushback_s
    assert driver.send(RequestArrived(request(3, model=OTHER, rows=1))) == []


def test_whoever_leaves_the_queue_makes_room(make_driver: MakeDriver) -> None:
    driver = make_driver(max_queue_size=1, max_queued_bytes=8)
    driver.send(*arrivals(1))
    driver.send(RequestCancelled(1))
    assert driver.send(*arrivals(2)) == []


def test_a_model_that_is_unloaded_makes_room(make_driver: MakeDriver) -> None:
    driver = make_driver(max_queued_bytes=8)
    driver.send(ModelChanged(OTHER, spec(OTHER)))
    driver.send(*arrivals(1))
    assert driver.send(ModelChanged(SCALE, None)) == ["reject 1 model_unavailable"]
    assert driver.send(RequestArrived(request(2, model=OTHER))) == []


def test_a_reload_counts_nothing_twice(make_driver: MakeDriver) -> None:
    driver = make_driver(max_queued_bytes=16, fair=False)
    driver.send(*arrivals(1))
    driver.send(ModelChanged(SCALE, spec(digest_="newer")))
    assert driver.send(*arrivals(2, 3)) == ["reject 3 queue_full"]
