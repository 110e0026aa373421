"""Batches that take too long run a second time elsewhere, if that is wanted."""

from dataclasses import replace

import pytest
from harness import (
    FLAT,
    PAYING,
    SCALE,
    Driver,
    MakeDriver,
    arrivals,
    calm,
    heard,
    joined,
    outputs_of,
    request,
    spec,
    tensor_spec,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.core.errors import ErrorCode
from farm.core.models import DynamicBatching
from farm.core.requests import BatchFailed
from farm.scheduling.events import (
    BatchFinished,
    ModelChanged,
    NodeChanged,
    NodeLost,
    RequestArrived,
    RequestCancelled,
)
from farm.scheduling.limits import Hedging


@pytest.fixture
def hedged(make_driver: MakeDriver) -> Driver:
    """Two nodes, of which `a` runs request 1, predicted to take 0.1 s."""
    driver = make_driver(hedging=Hedging(after_factor=2.0))
    driver.send(joined("a", curve=PAYING), *arrivals(1))
    driver.send(joined("b", curve=PAYING))
    return driver


def test_a_late_batch_gets_a_twin_and_the_first_answer_counts(hedged: Driver) -> None:
    assert hedged.advance_to(0.2) == []
    assert hedged.advance_to(0.21) == ["dispatch #2 [1] to b"]
    assert hedged.dispatched[2][0].trigger == "hedge"
    assert hedged.finish(2, joules=2.0) == ["resolve 1", "cancel #1 at a", "ledger #2 completed"]
    assert hedged.resolved()[1].outputs == outputs_of(request(1))
    assert hedged.finish(1, joules=1.0) == ["ledger #1 completed"]


def test_what_the_loser_did_is_wasted(hedged: Driver) -> None:
    hedged.advance_to(0.21)
    hedged.finish(1, joules=1.0)
    hedged.finish(2, joules=2.0)
    (entry,) = [effect.entry for effect in hedged.last()]  # type: ignore[union-attr]
    assert (entry.requests, entry.wasted, entry.energy.joules) == (0, 1, 2.0)


def test_nothing_is_hedged_unless_that_is_wanted(driver: Driver) -> None:
    driver.send(joined("a", curve=PAYING), *arrivals(1))
    driver.send(joined("b", curve=PAYING))
    assert driver.advance_to(60.0) == []


def test_a_batch_in_time_gets_none(hedged: Driver) -> None:
    hedged.advance_to(0.2)
    hedged.finish(1)
    assert hedged.advance_to(60.0) == []


def test_who_waited_at_the_node_that_the_twin_takes_looks_for_another(
    make_driver: MakeDriver,
) -> None:
    driver = make_driver(hedging=Hedging(after_factor=2.0))
    driver.send(ModelChanged(SCALE, spec(batching=DynamicBatching(max_queue_delay_s=3.0))))
    driver.send(joined("a", curve=FLAT), *arrivals(1))
    driver.send(joined("b", curve=PAYING), joined("c", curve=FLAT))
    # Company pays at b, and would not at c.
    assert driver.send(*arrivals(2)) == []
    lines = driver.advance_to(0.25)
    assert lines[:2] == ["dispatch #2 [1] to b", "dispatch #3 [2] to c"]


def test_what_nothing_is_predicted_for_gets_none(make_driver: MakeDriver) -> None:
    driver = make_driver(hedging=Hedging())
    driver.send(joined("a"), *arrivals(1))
    driver.send(joined("b"))
    assert driver.advance_to(60.0) == []


@pytest.mark.parametrize("first", [1, 2])
@pytest.mark.parametrize("code", [ErrorCode.UNREACHABLE, ErrorCode.NODE_BUSY, ErrorCode.NODE_LOST])
def test_a_failed_twin_does_not_fail_the_other(hedged: Driver, first: int, code: ErrorCode) -> None:
    hedged.advance_to(0.21)
    lines = hedged.fail(first, code)
    assert [line for line in lines if not line.startswith("wake")] == [f"ledger #{first} {code}"]
    lines = hedged.finish(3 - first)
    assert lines == ["resolve 1", f"ledger #{3 - first} completed"]


def test_when_both_fail_the_request_has_failed_twice(hedged: Driver) -> None:
    hedged.advance_to(0.21)
    hedged.fail(1)
    assert hedged.fail(2) == ["reject 1 unreachable", "ledger #2 unreachable"]


def test_a_model_that_fails_on_both_fails_the_request(hedged: Driver) -> None:
    hedged.advance_to(0.21)
    code = ErrorCode.EXECUTION_FAILED
    assert hedged.fail(1, code, retryable=False) == ["ledger #1 execution_failed"]
    assert hedged.fail(2, code, retryable=False)[0] == "reject 1 execution_failed"


def test_who_leaves_leaves_both(hedged: Driver) -> None:
    hedged.advance_to(0.21)
    assert hedged.send(RequestCancelled(1)) == [
        "cancel #2 at b",
        "cancel #1 at a",
        "reject 1 cancelled",
    ]


def test_who_has_left_is_not_in_the_twin(make_driver: MakeDriver) -> None:
    driver = make_driver(hedging=Hedging())
    driver.send(joined("a", curve=PAYING), *arrivals(1, 2, 3))
    driver.send(joined("b", curve=PAYING), RequestCancelled(2))
    assert driver.advance_to(0.3) == ["dispatch #2 [1 3] to b"]
    driver.finish(2)
    assert set(driver.resolved()) == {1, 3}


def test_a_twin_costs_a_retry_for_each_request(make_driver: MakeDriver) -> None:
    driver = make_driver(hedging=Hedging(), retry_reserve=2, retry_ratio=0.0)
    driver.send(joined("a", curve=PAYING), *arrivals(1, 2, 3))
    driver.send(joined("b", curve=PAYING))
    driver.advance_to(0.3)
    assert not any(batch.trigger == "hedge" for batch, _, _ in driver.dispatched.values())
    driver.send(RequestCancelled(3))
    driver.advance_to(0.6)
    assert driver.dispatched[2][0].trigger == "hedge"


def test_only_an_idle_node_gets_a_twin_and_is_waited_for(hedged: Driver) -> None:
    hedged.send(*arrivals(2))
    assert [line for line in hedged.advance_to(0.15) if not line.startswith("wake")] == []
    hedged.send(NodeChanged(node_id="b", cordoned=True))
    hedged.finish(2)
    hedged.advance_to(0.25)
    assert set(hedged.dispatched) == {1, 2}
    hedged.send(NodeChanged(node_id="b", cordoned=False))
    assert hedged.advance_to(0.5)[0] == "dispatch #3 [1] to b"


def test_a_node_gets_no_twin_of_its_own_batch(make_driver: MakeDriver) -> None:
    driver = make_driver(hedging=Hedging())
    driver.send(joined("a", curve=PAYING, slots=2), *arrivals(1))
    driver.advance_to(5.0)
    assert set(driver.dispatched) == {1}


def test_a_node_of_which_nothing_is_known_gets_no_twin(make_driver: MakeDriver) -> None:
    driver = make_driver(hedging=Hedging())
    driver.send(joined("a", curve=PAYING), *arrivals(1))
    driver.send(joined("b"))
    driver.advance_to(5.0)
    assert set(driver.dispatched) == {1}


def test_a_twin_does_not_go_where_its_request_has_failed(make_driver: MakeDriver) -> None:
    driver = make_driver(hedging=Hedging())
    driver.send(joined("b", curve=PAYING), *arrivals(1))
    driver.send(joined("a", curve=PAYING))
    assert driver.fail(1)[-1] == "dispatch #2 [1] to a"
    driver.advance_to(5.0)
    assert set(driver.dispatched) == {1, 2}


def test_a_twin_counts_as_an_instance(make_driver: MakeDriver) -> None:
    driver = make_driver(hedging=Hedging())
    single = spec(max_instances=1)
    driver.send(ModelChanged(single.key, single), joined("a", curve=PAYING), *arrivals(1))
    driver.send(joined("b", curve=PAYING, slots=2), *arrivals(2))
    driver.advance_to(5.0)
    assert set(driver.dispatched) == {1, 2}


def test_a_twin_that_would_be_too_late_is_not_sent(make_driver: MakeDriver) -> None:
    driver = make_driver(hedging=Hedging())
    driver.send(joined("a", curve=PAYING), RequestArrived(request(1, deadline=0.25)))
    driver.send(joined("b", curve=PAYING))
    driver.advance_to(0.24)
    assert set(driver.dispatched) == {1}


def test_a_suspect_is_not_hedged(make_driver: MakeDriver) -> None:
    driver = make_driver(hedging=Hedging())
    driver.send(joined("a", curve=PAYING), *arrivals(1))
    driver.send(joined("b", curve=PAYING), joined("c", curve=PAYING))
    driver.send(NodeLost(node_id="a", reason="unplugged"))
    assert driver.advance_to(60.0) == []


def test_a_batch_for_other_inputs_gets_no_twin(hedged: Driver) -> None:
    newer = spec(inputs=(tensor_spec("z"),))
    hedged.send(ModelChanged(newer.key, newer))
    hedged.advance_to(60.0)
    assert set(hedged.dispatched) == {1}


def test_a_batch_of_former_files_gets_no_twin(hedged: Driver) -> None:
    newer = spec(digest_="newer")
    hedged.send(ModelChanged(newer.key, newer), NodeChanged(node_id="b", ready={"newer": PAYING}))
    hedged.advance_to(60.0)
    assert set(hedged.dispatched) == {1}


def test_the_twin_of_a_batch_on_a_node_that_hangs_takes_over() -> None:
    limits = replace(calm(overdue_min_s=2.0), hedging=Hedging())
    driver = Driver(limits)
    driver.send(ModelChanged(spec().key, spec()), joined("a", curve=PAYING), *arrivals(1))
    driver.send(*(joined(id_, models=()) for id_ in "cd"), *heard("a", "b", "c", "d"))
    driver.send(joined("b", curve=PAYING))
    lines: list[str] = []
    for second in range(1, 6):
        lines += driver.advance_to(float(second))
        driver.send(*heard("b", "c", "d"))
    assert lines[0] == "dispatch #2 [1] to b"
    assert "replace a 1" in lines
    assert driver.finish(2) == ["resolve 1", "ledger #2 completed"]
    driver.wind_down()
    driver.check_nothing_left()


OUTCOMES = (
    "finish",
    ErrorCode.UNREACHABLE,
    ErrorCode.NODE_BUSY,
    ErrorCode.NODE_LOST,
    ErrorCode.EXECUTION_FAILED,
)


@settings(max_examples=150, deadline=None)
@given(
    members=st.integers(1, 4),
    leave=st.lists(st.tuples(st.integers(1, 4), st.sampled_from([0.0, 0.25])), max_size=3),
    outcomes=st.permutations([1, 2]).flatmap(
        lambda order: st.tuples(*(st.tuples(st.just(i), st.sampled_from(OUTCOMES)) for i in order))
    ),
    together=st.booleans(),
    spare=st.booleans(),
)
def test_whatever_becomes_of_twins_every_request_has_one_reply(
    members: int,
    leave: list[tuple[int, float]],
    outcomes: tuple[tuple[int, str], ...],
    together: bool,
    spare: bool,
) -> None:
    driver = Driver(calm(hedging=Hedging()))
    driver.send(ModelChanged(spec().key, spec()), joined("a", curve=PAYING))
    driver.send(*arrivals(*range(1, members + 1)))
    driver.send(joined("b", curve=PAYING))
    events: list[BatchFinished | BatchFailed] = []
    for moment in (0.0, 0.25):
        driver.advance_to(moment)
        driver.send(*(RequestCancelled(id_) for id_, at in leave if at == moment))
    if spare:
        driver.send(joined("spare", curve=PAYING, slots=8))
    for batch_id, outcome in outcomes:
        if batch_id not in driver.dispatched:
            continue
        if outcome == "finish":
            events.append(driver.finished(batch_id, joules=1.0))
        else:
            retryable = outcome != ErrorCode.EXECUTION_FAILED
            events.append(driver.failed(batch_id, ErrorCode(outcome), retryable=retryable))
    for step in [events] if together else [[event] for event in events]:
        driver.send(*step)
    stayed = set(range(1, members + 1)) - {id_ for id_, _ in leave}
    if any(outcome == "finish" for batch_id, outcome in outcomes if batch_id in driver.dispatched):
        assert stayed <= set(driver.resolved())
    driver.wind_down()
    driver.check_nothing_left()
