"""A model's bound on its batches at one node."""

from harness import OTHER, PAYING, SCALE, Driver, arrivals, digest, joined, request, spec

from farm.scheduling.events import ModelChanged, RequestArrived


def bounded(bound: int, digest_: str = "") -> ModelChanged:
    return ModelChanged(SCALE, spec(max_instances=bound, digest_=digest_))


def test_no_more_batches_run_at_a_node_than_the_model_has_instances(driver: Driver) -> None:
    driver.send(bounded(1), joined("a", slots=3), joined("b", slots=3))
    assert driver.send(*arrivals(1)) == ["dispatch #1 [1] to a"]
    assert driver.send(*arrivals(2)) == ["dispatch #2 [2] to b"]
    assert driver.send(*arrivals(3, 4)) == []
    assert driver.finish(2) == ["resolve 2", "ledger #2 completed", "dispatch #3 [3 4] to b"]


def test_what_waits_at_the_node_counts(driver: Driver) -> None:
    driver.send(bounded(1), joined(lookahead=1, curve=PAYING), *arrivals(1))
    assert driver.send(*arrivals(2)) == ["wake 0.096"]
    assert driver.advance_to(0.2) == []
    assert driver.finish(1)[-1] == "dispatch #2 [2] to a"


def test_a_bound_above_the_slots_leaves_the_look_ahead_alone(driver: Driver) -> None:
    driver.send(bounded(2), joined(lookahead=2), *arrivals(1))
    assert driver.send(*arrivals(2)) == ["dispatch #2 [2] to a"]
    assert driver.send(*arrivals(3)) == []


def test_a_model_at_its_bound_leaves_the_slots_to_others(driver: Driver) -> None:
    driver.send(bounded(1), ModelChanged(OTHER, spec(OTHER)))
    driver.send(joined(slots=2, models=(SCALE, OTHER)), *arrivals(1))
    driver.send(*arrivals(2))
    other = request(3, model=OTHER, priority=2)
    assert driver.send(RequestArrived(other)) == ["dispatch #2 [3] to a"]


def test_other_models_do_not_count(driver: Driver) -> None:
    driver.send(bounded(1), ModelChanged(OTHER, spec(OTHER)))
    driver.send(joined(slots=2, models=(SCALE, OTHER)))
    driver.send(RequestArrived(request(1, model=OTHER)))
    assert driver.send(*arrivals(2)) == ["dispatch #2 [2] to a"]


def test_a_reload_keeps_the_count(driver: Driver) -> None:
    driver.send(bounded(1), joined(slots=2, digests=("newer",)), *arrivals(1))
    driver.send(bounded(1, digest_="newer"))
    assert driver.send(*arrivals(2)) == []
    assert driver.machine.inflight_of(SCALE, digest(SCALE)) == 1
    assert driver.finish(1)[-1] == "dispatch #2 [2] to a"
    assert driver.machine.inflight_of(SCALE, digest(SCALE)) == 0
    assert driver.machine.inflight_of(SCALE, "newer") == 1
