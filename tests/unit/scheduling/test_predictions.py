"""What the farm cannot do in time is refused at once; whatever it may be able to do is not."""

import pytest
from harness import FLAT, OTHER, PAYING, SCALE, SOLO, Driver, MakeDriver, joined, request, spec
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.core.errors import FarmError
from farm.core.models import LatencyCurve
from farm.scheduling.events import ModelChanged, RequestArrived

# Ten rows per second, each by itself.
TENTH = LatencyCurve(((1, 0.1),))


def arrive(
    driver: Driver,
    id_: int,
    deadline_in: float | None = None,
    *,
    client: str = "",
    priority: int = 1,
    rows: int = 1,
) -> FarmError | None:
    """Let a request come in now; return why it was refused, if it was."""
    deadline = None if deadline_in is None else driver.now + deadline_in
    one = request(
        id_,
        deadline=deadline,
        client=client,
        priority=priority,
        rows=rows,
        arrived_at=driver.now,
    )
    driver.send(RequestArrived(one))
    refused = driver.rejected().get(id_)
    return refused.error if refused is not None else None


def busy(
    driver: Driver,
    *,
    waiting: int,
    deadline_in: float | None = 60.0,
    client: str = "",
    priority: int = 1,
) -> None:
    """One node of ten rows per second with a batch on it, and requests behind it."""
    driver.send(ModelChanged(SCALE, spec(max_batch_size=1)), joined(curve=TENTH))
    for id_ in range(1, waiting + 2):
        arrive(driver, id_, deadline_in, client=client, priority=priority)
    assert driver.machine.queued(SCALE) == waiting


def rejections(driver: Driver) -> list[FarmError]:
    return [rejected.error for rejected in driver.rejected().values()]


# -- an idle farm -------------------------------------------------------------------------


def test_what_an_idle_farm_cannot_do_in_time_is_refused_at_once(driver: Driver) -> None:
    driver.send(joined(curve=PAYING))
    error = arrive(driver, 1, 0.05)
    assert error is not None
    assert error.code == "deadline_exceeded"
    assert "'scale' takes 101 ms on the quickest node" in error.message
    assert "50 ms left; give it more time" in error.message


def test_one_node_that_is_quick_enough_will_do(driver: Driver) -> None:
    driver.send(joined("slow", curve=PAYING), joined("quick", curve=LatencyCurve(((1, 0.01),))))
    assert arrive(driver, 1, 0.05) is None


def test_a_close_run_is_let_in(driver: Driver) -> None:
    driver.send(joined(curve=PAYING))
    assert arrive(driver, 1, 0.09) is None


def test_without_a_deadline_nothing_is_too_slow(driver: Driver) -> None:
    busy(driver, waiting=50)
    assert arrive(driver, 99) is None


def test_where_nothing_was_measured_nothing_is_refused(driver: Driver) -> None:
    assert arrive(driver, 1, 0.001) is None
    driver.send(joined(curve=None))
    assert arrive(driver, 2, 0.001) is None


def test_a_node_of_which_nothing_is_known_may_be_quicker(driver: Driver) -> None:
    driver.send(joined("known", curve=PAYING), joined("new", curve=None))
    assert arrive(driver, 1, 0.05) is None


def test_a_node_that_takes_no_batches_does_not_count(driver: Driver) -> None:
    quick = joined("quick", curve=LatencyCurve(((1, 0.01),)), models=(OTHER,))
    driver.send(joined("slow", curve=PAYING), quick)
    assert arrive(driver, 1, 0.05) is not None


def test_a_curve_that_was_too_slow_does_not_shut_the_door_for_good(driver: Driver) -> None:
    driver.send(joined(curve=PAYING))
    assert arrive(driver, 1, 0.05) is not None
    driver.now = 3.0
    assert arrive(driver, 2, 0.05) is not None
    driver.now = 6.0
    assert arrive(driver, 3, 0.05) is None
    assert arrive(driver, 4, 0.05) is not None
    driver.now = 12.0
    assert arrive(driver, 5, 0.05) is None


# -- behind what waits --------------------------------------------------------------------


def test_what_waits_ahead_makes_a_request_late(driver: Driver) -> None:
    busy(driver, waiting=0)
    refused = [error for id_ in range(10, 60) if (error := arrive(driver, id_, 2.0)) is not None]
    # Its own tenth of a second is set aside, and a margin for errors of the prediction.
    assert 14 <= driver.machine.queued(SCALE) <= 17
    assert {error.code for error in refused} == {"overloaded"}
    assert "would be done in about" in refused[0].message
    assert "and has 2 s left" in refused[0].message


def test_whoever_is_refused_is_told_when_there_may_be_time(driver: Driver) -> None:
    busy(driver, waiting=50, deadline_in=None)
    error = arrive(driver, 99, 2.0, priority=2)
    assert error is not None
    assert error.retry_after_s == pytest.approx(3.5, abs=0.2)


def test_what_waits_behind_does_not(driver: Driver) -> None:
    busy(driver, waiting=50, deadline_in=None)
    assert arrive(driver, 98, 0.5) is None
    driver.finish(1)
    assert [member.id for member in driver.dispatched[2][0].members] == [98]


def test_a_higher_priority_does_not_wait_for_a_lower_one(driver: Driver) -> None:
    busy(driver, waiting=50, priority=2)
    assert arrive(driver, 99, 0.5, priority=1) is None


def test_a_lower_priority_waits_for_a_higher_one(driver: Driver) -> None:
    busy(driver, waiting=50, priority=1)
    assert arrive(driver, 99, 2.0, priority=2) is not None


def test_a_newcomer_is_not_refused_for_a_flood(driver: Driver) -> None:
    busy(driver, waiting=50, client="greedy")
    assert arrive(driver, 98, 0.5, client="modest") is None


def test_another_models_work_is_not_held_against_a_request(driver: Driver) -> None:
    busy(driver, waiting=50)
    driver.send(ModelChanged(OTHER, spec(OTHER)), joined(curve=TENTH, models=(SCALE, OTHER)))
    driver.send(RequestArrived(request(98, model=OTHER, deadline=driver.now + 0.5)))
    assert not driver.rejected()


def test_requests_of_an_unbatched_model_wait_for_each_other(driver: Driver) -> None:
    driver.send(
        ModelChanged(SOLO, spec(SOLO, max_batch_size=0)), joined(models=(SOLO,), curve=TENTH)
    )
    for id_ in range(1, 41):
        driver.send(RequestArrived(request(id_, model=SOLO, deadline=2.0)))
    assert 14 <= driver.machine.queued(SOLO) <= 17
    assert {error.code for error in rejections(driver)} == {"overloaded"}


def test_more_nodes_bear_more(driver: Driver) -> None:
    driver.send(ModelChanged(SCALE, spec(max_batch_size=1)))
    driver.send(*(joined(name, curve=TENTH) for name in "abcdefgh"))
    for id_ in range(1, 41):
        arrive(driver, id_, 2.0)
    assert not driver.rejected()


@settings(max_examples=60, deadline=None)
@given(
    arrivals=st.lists(
        st.tuples(st.sampled_from([0.05, 0.3, 1.0, 3.0]), st.sampled_from(["a", "b", "c"])),
        max_size=40,
    ),
    curve=st.sampled_from([FLAT, PAYING, TENTH]),
)
def test_an_empty_queue_lets_in_what_an_idle_farm_can_do(
    arrivals: list[tuple[float, str]], curve: LatencyCurve
) -> None:
    driver = Driver()
    driver.send(ModelChanged(SCALE, spec()), joined(curve=curve))
    for id_, (deadline_in, client) in enumerate(arrivals, start=1):
        empty = not driver.machine.queued(SCALE)
        error = arrive(driver, id_, deadline_in, client=client)
        if empty and deadline_in >= 0.3:
            assert error is None
        if error is not None:
            assert error.code in ("overloaded", "deadline_exceeded")


# -- pushback -----------------------------------------------------------------------------


def test_pushback_grows_with_what_waits_up_to_a_bound(make_driver: MakeDriver) -> None:
    told = []
    for size in (4, 40, 400):
        driver = make_driver(max_queue_size=size, fair=False, max_pushback_s=4.0)
        driver.send(ModelChanged(SCALE, spec(max_batch_size=1)), joined(curve=TENTH))
        for id_ in range(1, size + 2):
            arrive(driver, id_)
        error = arrive(driver, size + 2)
        assert error is not None
        told.append(error.retry_after_s)
    assert told == [driver.limits.pushback_s, pytest.approx(2.0, rel=0.1), 4.0]
