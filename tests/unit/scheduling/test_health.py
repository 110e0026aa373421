"""Which nodes get batches, by what is heard of them and how long they take."""

from collections.abc import Iterable

import pytest
from harness import (
    PAYING,
    SCALE,
    Driver,
    MakeDriver,
    arrivals,
    calm,
    heard,
    joined,
    probed,
    request,
    spec,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.core.errors import ErrorCode
from farm.core.nodes import NodeState
from farm.scheduling.events import (
    ModelChanged,
    NodeChanged,
    NodeHeard,
    NodeLost,
    RequestArrived,
)

LATE = {"overdue_min_s": 2.0, "overdue_unknown_s": 2.0}


def let_pass(driver: Driver, seconds: float, *, heard_of: Iterable[str]) -> list[str]:
    """Let whole seconds pass, with a heartbeat of some nodes after each; return all effects."""
    lines: list[str] = []
    end = driver.now + seconds
    while driver.now < end:
        lines += driver.advance_to(driver.now + 1)
        lines += driver.send(*heard(*heard_of))
    return [line for line in lines if not line.startswith("wake")]


def states(driver: Driver, *node_ids: str) -> list[NodeState | None]:
    return [driver.machine.standing(node_id) for node_id in node_ids]


# -- heartbeats ---------------------------------------------------------------------------


def test_a_node_that_falls_silent_gets_nothing_until_it_is_heard_again(driver: Driver) -> None:
    driver.send(joined("a"), joined("b", models=()), *heard("a", "b"))
    let_pass(driver, 3, heard_of="b")
    assert states(driver, "a", "b") == [NodeState.SUSPECT, NodeState.READY]
    assert driver.send(*arrivals(1)) == []
    assert driver.send(*heard("a")) == ["dispatch #1 [1] to a"]


def test_a_node_may_fall_silent_again(driver: Driver) -> None:
    driver.send(joined("a"), joined("b"), *heard("a", "b"))
    let_pass(driver, 5, heard_of="b")
    driver.send(*heard("a"))
    assert driver.machine.standing("a") is NodeState.READY
    let_pass(driver, 3, heard_of="b")
    assert driver.machine.standing("a") is NodeState.SUSPECT


def test_a_node_is_suspected_after_its_time_and_not_before(driver: Driver) -> None:
    driver.send(joined("a"), joined("b"), *heard("a"))
    driver.advance_to(1.9)
    assert driver.machine.standing("a") is NodeState.READY
    driver.advance_to(2.0)
    assert driver.machine.standing("a") is NodeState.SUSPECT


def test_who_was_never_heard_is_not_suspected(driver: Driver) -> None:
    driver.send(joined())
    driver.advance_to(100.0)
    assert driver.machine.standing("a") is NodeState.READY


def test_a_heartbeat_of_another_incarnation_says_nothing(driver: Driver) -> None:
    driver.send(joined("a", incarnation="2"), joined("b"), *heard("a", incarnation="2"))
    driver.advance_to(2.0)
    driver.send(*heard("a", incarnation="1"))
    driver.advance_to(2.5)
    assert driver.machine.standing("a") is NodeState.SUSPECT


def test_an_unknown_node_may_be_heard(driver: Driver) -> None:
    assert driver.send(NodeHeard(node_id="ghost", incarnation="1"), probed("ghost")) == []
    assert driver.machine.standing("ghost") is None


def test_what_a_suspect_node_answers_counts(driver: Driver) -> None:
    driver.send(joined("a"), joined("b", models=()), *heard("a"), *arrivals(1))
    driver.advance_to(2.5)
    assert driver.finish(1) == ["resolve 1", "ledger #1 completed"]


def test_an_idle_silent_node_is_not_replaced(driver: Driver) -> None:
    driver.send(joined("a"), joined("b"), *heard("a", "b"))
    assert let_pass(driver, 60, heard_of="b") == []


# -- batches that take too long -----------------------------------------------------------


def test_a_node_with_an_overdue_batch_gets_no_more_until_it_answers(
    make_driver: MakeDriver,
) -> None:
    driver = make_driver(**LATE)
    driver.send(joined("a", slots=2), joined("b", models=()), *arrivals(1))
    driver.advance_to(1.9)
    assert driver.machine.standing("a") is NodeState.READY
    driver.advance_to(2.0)
    assert driver.machine.standing("a") is NodeState.SUSPECT
    assert driver.send(*arrivals(2)) == []
    assert driver.finish(1)[:3] == ["resolve 1", "ledger #1 completed", "dispatch #2 [2] to a"]
    assert driver.machine.standing("a") is NodeState.READY


def test_one_answer_does_not_clear_a_node_of_two_overdue_batches(make_driver: MakeDriver) -> None:
    driver = make_driver(**LATE)
    driver.send(joined("a", slots=2), *arrivals(1))
    driver.send(*arrivals(2))
    driver.send(joined("b", models=()))
    driver.advance_to(2.0)
    driver.finish(1)
    assert driver.machine.standing("a") is NodeState.SUSPECT
    driver.finish(2)
    assert driver.machine.standing("a") is NodeState.READY


def test_a_long_prediction_gives_a_batch_more_time(make_driver: MakeDriver) -> None:
    driver = make_driver(overdue_min_s=0.1, overdue_factor=4.0)
    driver.send(joined("a", curve=PAYING), joined("b", models=()), *arrivals(1))
    driver.advance_to(0.4)
    assert driver.machine.standing("a") is NodeState.READY
    driver.advance_to(0.41)
    assert driver.machine.standing("a") is NodeState.SUSPECT


def test_without_a_prediction_a_batch_has_a_generous_bound(make_driver: MakeDriver) -> None:
    driver = make_driver(overdue_min_s=0.1, overdue_unknown_s=5.0)
    driver.send(joined("a"), joined("b", models=()), *arrivals(1))
    driver.advance_to(4.9)
    assert driver.machine.standing("a") is NodeState.READY
    driver.advance_to(5.0)
    assert driver.machine.standing("a") is NodeState.SUSPECT


def test_so_has_one_in_a_process_of_its_own(make_driver: MakeDriver) -> None:
    driver = make_driver(overdue_min_s=0.5, overdue_unknown_s=5.0)
    driver.send(joined("a", curve=PAYING), *arrivals(1))
    driver.send(joined("b", curve=PAYING), joined("c", models=()))
    driver.send(NodeLost(node_id="a", reason="unplugged"))
    assert driver.dispatched[2][0].isolated
    driver.advance_to(4.9)
    assert driver.machine.standing("b") is NodeState.READY
    driver.advance_to(5.0)
    assert driver.machine.standing("b") is NodeState.SUSPECT


def test_a_batch_that_waits_at_the_node_is_not_overdue(make_driver: MakeDriver) -> None:
    driver = make_driver(**LATE)
    driver.send(joined("a", lookahead=1), joined("b", models=()), *arrivals(1))
    driver.send(*arrivals(2))
    driver.advance_to(1.5)
    driver.finish(1)
    driver.advance_to(3.0)
    assert driver.machine.standing("a") is NodeState.READY
    driver.advance_to(3.5)
    assert driver.machine.standing("a") is NodeState.SUSPECT


# -- nodes that hang ----------------------------------------------------------------------


def test_a_node_that_hangs_is_replaced_once_and_its_requests_run_elsewhere(
    make_driver: MakeDriver,
) -> None:
    driver = make_driver(**LATE)
    driver.send(joined("a"), *heard("a"), RequestArrived(request(1, deadline=9.0)))
    driver.send(joined("b"), joined("c", models=()), *heard("b", "c"))
    assert let_pass(driver, 3, heard_of="bc") == []
    assert let_pass(driver, 1, heard_of="bc") == [
        "replace a 1",
        "ledger #1 node_lost",
        "dispatch #2 [1] to b",
    ]
    assert driver.dispatched[2][0].isolated
    assert driver.finish(1) == []
    assert driver.send(NodeLost(node_id="a", reason="replaced")) == []
    assert driver.finish(2) == ["resolve 1", "ledger #2 completed"]
    driver.send(joined("a", incarnation="2"))
    assert driver.machine.standing("a") is NodeState.READY


def test_a_node_that_beats_but_does_not_answer_hangs_in_the_end(make_driver: MakeDriver) -> None:
    driver = make_driver(hung_after_s=20.0, **LATE)
    driver.send(joined("a"), *heard("a"), *arrivals(1))
    assert let_pass(driver, 21, heard_of="a") == []
    assert let_pass(driver, 1, heard_of="a") == ["replace a 1", "ledger #1 node_lost"]


def test_every_batch_of_a_node_that_hangs_ends(make_driver: MakeDriver) -> None:
    driver = make_driver(retry_reserve=1, retry_ratio=0.0, **LATE)
    driver.send(joined("a", slots=2), *heard("a"), *arrivals(1))
    driver.send(*arrivals(2))
    driver.send(joined("b"), joined("c", models=()), *heard("b", "c"))
    assert let_pass(driver, 4, heard_of="bc") == [
        "replace a 1",
        "ledger #1 node_lost",
        "reject 2 node_lost",
        "ledger #2 node_lost",
        "dispatch #3 [1] to b",
    ]


def test_most_of_the_farm_silent_at_once_is_the_gateways_own_fault(
    make_driver: MakeDriver,
) -> None:
    driver = make_driver(**LATE)
    driver.send(*(joined(node_id) for node_id in "abc"), *heard("a"))
    driver.send(*arrivals(1))
    driver.advance_to(0.9)
    driver.send(*heard("b", "c"))
    assert "replace" not in " ".join(let_pass(driver, 20, heard_of=""))


def test_when_the_others_are_back_who_is_still_silent_is_replaced(
    make_driver: MakeDriver,
) -> None:
    driver = make_driver(**LATE)
    driver.send(joined("a"), *arrivals(1))
    driver.send(joined("b"), joined("c", models=()), *heard("a", "b", "c"))
    assert let_pass(driver, 6, heard_of="c") == []
    assert driver.machine.panicking
    assert driver.send(*heard("b"))[:2] == ["replace a 1", "ledger #1 node_lost"]


def test_one_replacement_may_lead_to_the_next(make_driver: MakeDriver) -> None:
    driver = make_driver(hung_after_s=6.0, **LATE)
    driver.send(joined("a"), *arrivals(1))
    driver.send(joined("b"), joined("c", models=()), *heard("a", "b", "c"))
    driver.advance_to(1.0)
    driver.send(*arrivals(2))
    assert let_pass(driver, 6, heard_of="ac") == []
    assert driver.machine.panicking
    lines = driver.advance_to(8.0)
    assert [line for line in lines if line.startswith("replace")] == ["replace a 1", "replace b 1"]


def test_a_gateway_that_stood_still_blames_no_node(make_driver: MakeDriver) -> None:
    driver = make_driver(**LATE)
    driver.send(joined("a"), joined("b"), *heard("a", "b"), *arrivals(1))
    driver.now = 20.0
    driver.advance_to(20.0)
    assert states(driver, "a", "b") == [NodeState.READY] * 2
    driver.send(*heard("a", "b"))
    driver.finish(1)
    driver.advance_to(21.9)
    assert states(driver, "a", "b") == [NodeState.READY] * 2


def test_after_a_standstill_silence_counts_again(make_driver: MakeDriver) -> None:
    driver = make_driver(**LATE)
    driver.send(joined("a"), joined("b"), *heard("a", "b"), *arrivals(1))
    driver.now = 20.0
    driver.advance_to(20.5)
    driver.send(*heard("b"))
    assert let_pass(driver, 2, heard_of="b")[0] == "replace a 1"


# -- panic --------------------------------------------------------------------------------


def test_with_too_many_nodes_out_all_get_batches(driver: Driver) -> None:
    driver.send(*(joined(node_id) for node_id in "abc"), *heard("a", "b", "c"))
    let_pass(driver, 3, heard_of="c")
    assert driver.machine.panicking
    assert states(driver, "a", "b", "c") == [NodeState.SUSPECT, NodeState.SUSPECT, NodeState.READY]
    dispatched = [driver.send(*arrivals(id_))[0][-1] for id_ in (1, 2, 3)]
    assert set(dispatched) == {"a", "b", "c"}


def test_panic_ends_with_the_first_that_is_back(driver: Driver) -> None:
    driver.send(joined("a"), joined("b", models=()), *heard("a", "b"))
    let_pass(driver, 3, heard_of="")
    assert driver.machine.panicking
    driver.send(*heard("b"))
    assert not driver.machine.panicking
    assert driver.send(*arrivals(1)) == []


def test_the_loss_of_the_others_makes_a_suspect_good_enough(driver: Driver) -> None:
    driver.send(joined("a"), joined("b", models=()), joined("c", models=()), *heard("a"))
    driver.advance_to(3.0)
    assert not driver.machine.panicking
    driver.send(*arrivals(1), *(NodeLost(node_id=id_, reason="unplugged") for id_ in "bc"))
    assert driver.referee.flights.keys() == {1}


def test_a_cordoned_node_gets_nothing_even_in_panic(driver: Driver) -> None:
    driver.send(joined("a"), NodeChanged(node_id="a", cordoned=True), joined("b", models=()))
    driver.send(*heard("b"))
    driver.advance_to(3.0)
    assert driver.machine.panicking
    assert driver.send(*arrivals(1)) == []


def test_a_sole_node_is_used_whatever_is_held_against_it(make_driver: MakeDriver) -> None:
    driver = make_driver(**LATE)
    driver.send(joined("a", slots=2), *heard("a"), *arrivals(1))
    driver.advance_to(3.0)
    assert driver.machine.standing("a") is NodeState.SUSPECT
    assert driver.send(*arrivals(2))[0] == "dispatch #2 [2] to a"


@pytest.mark.parametrize("others", [1, 2, 3])
def test_a_node_that_joins_in_panic_is_as_good_as_any(driver: Driver, others: int) -> None:
    suspects = "abc"[:others]
    driver.send(*(joined(node_id, models=()) for node_id in suspects), *heard(*suspects))
    driver.advance_to(3.0)
    driver.send(joined("new"), *arrivals(1))
    assert driver.finish(1) == ["resolve 1", "ledger #1 completed"]


def test_so_it_is_when_it_falls_silent_itself(driver: Driver) -> None:
    driver.send(*(joined(node_id, models=()) for node_id in "abc"), *heard("a", "b", "c"))
    driver.advance_to(3.0)
    driver.send(joined("new"), *heard("new"))
    driver.advance_to(6.0)
    assert driver.machine.standing("new") is NodeState.SUSPECT
    assert driver.send(*arrivals(1)) == ["dispatch #1 [1] to new"]


def test_probes_are_for_the_ejected_only(make_driver: MakeDriver) -> None:
    driver = make_driver(eject_after_failures=1, max_attempts=1)
    driver.send(joined("a"), joined("b", models=()), *heard("a", "b"), *arrivals(1))
    driver.fail(1, ErrorCode.UNREACHABLE)
    assert let_pass(driver, 1, heard_of="ab") == ["probe a 1 digest-scale:1"]
    driver.send(probed("a"))
    assert let_pass(driver, 3, heard_of="b") == []
    assert driver.machine.standing("a") is NodeState.SUSPECT


@settings(max_examples=100, deadline=None)
@given(
    slots=st.integers(1, 3),
    deadlines=st.lists(st.sampled_from([None, 3.0, 8.0, 30.0]), min_size=1, max_size=6),
    reserve=st.integers(0, 6),
    helps=st.booleans(),
    beats=st.booleans(),
)
def test_what_is_at_a_node_that_hangs_ends_elsewhere_or_in_time(
    slots: int, deadlines: list[float | None], reserve: int, helps: bool, beats: bool
) -> None:
    limits = calm(**LATE, hung_after_s=4.0, retry_ratio=0.0, retry_reserve=reserve)
    driver = Driver(limits)
    driver.send(ModelChanged(SCALE, spec(max_batch_size=2)), joined("a", slots=slots), *heard("a"))
    requests = [request(id_, deadline=at) for id_, at in enumerate(deadlines, start=1)]
    driver.send(*(RequestArrived(wanted) for wanted in requests))
    stuck = {m.id for batch, _, _ in driver.dispatched.values() for m in batch.members}
    driver.send(*(joined(id_, models=()) for id_ in "bc"), *heard("b", "c"))
    lines = let_pass(driver, 7, heard_of="abc" if beats else "bc")
    assert lines.count("replace a 1") == 1
    assert driver.machine.inflight == 0
    driver.send(NodeLost(node_id="a", reason="replaced"))
    driver.send(joined("d" if helps else "a", incarnation="2", slots=8))
    while flights := driver.referee.flights:
        driver.send(*(driver.finished(id_) for id_ in sorted(flights)))
    in_time = {wanted.id for wanted in requests if wanted.deadline != 3.0}
    assert len(stuck & in_time & set(driver.resolved())) <= reserve
    assert set(driver.resolved()) | set(driver.rejected()) == {r.id for r in requests}
    assert in_time - stuck <= set(driver.resolved())
