"""What becomes of requests and nodes when batches fail."""

from harness import (
    PAYING,
    SCALE,
    Driver,
    MakeDriver,
    arrivals,
    digest,
    joined,
    outputs_of,
    probed,
    request,
    spec,
)

from farm.core.errors import ErrorCode
from farm.core.nodes import NodeState
from farm.scheduling.events import ModelChanged, NodeChanged, NodeLost, RequestArrived

GONE = NodeLost(node_id="a", reason="unplugged")


def fail_for_good(driver: Driver, batch_id: int) -> list[str]:
    return driver.fail(batch_id, ErrorCode.EXECUTION_FAILED, retryable=False)


# -- retries ------------------------------------------------------------------------------


def test_a_failed_batch_is_retried_elsewhere(driver: Driver) -> None:
    driver.send(joined("a"), joined("b"), *arrivals(1, 2))
    assert driver.fail(1) == ["ledger #1 unreachable", "dispatch #2 [1] to b"]
    assert driver.finish(2) == ["resolve 1", "ledger #2 completed", "dispatch #3 [2] to b"]
    assert driver.finish(3) == ["resolve 2", "ledger #3 completed"]
    assert driver.resolved()[1].receipt.attempts == 2


def test_a_second_failure_is_final(driver: Driver) -> None:
    driver.send(joined("a"), joined("b"), joined("c"), *arrivals(1))
    driver.fail(1)
    assert driver.fail(2) == ["reject 1 unreachable", "ledger #2 unreachable"]
    assert driver.rejected()[1].error.retry_after_s == driver.limits.pushback_s


def test_a_sole_node_gets_its_retry_itself(driver: Driver) -> None:
    driver.send(joined(), *arrivals(1))
    assert driver.fail(1) == ["ledger #1 unreachable", "dispatch #2 [1] to a"]


def test_a_second_failure_on_a_sole_node_is_final_too(driver: Driver) -> None:
    driver.send(joined(), *arrivals(1))
    driver.fail(1)
    assert driver.fail(2) == ["reject 1 unreachable", "ledger #2 unreachable"]


def test_a_retry_waits_for_another_node_that_is_busy(driver: Driver) -> None:
    driver.send(joined("a"), joined("b"))
    driver.send(*arrivals(1))
    driver.send(*arrivals(2))
    assert driver.fail(1) == ["ledger #1 unreachable"]
    assert driver.finish(2) == ["resolve 2", "ledger #2 completed", "dispatch #3 [1] to b"]


def test_a_retry_does_not_wait_for_a_node_that_gets_no_batches(driver: Driver) -> None:
    driver.send(joined("a"), joined("b"), NodeChanged(node_id="b", cordoned=True), *arrivals(1))
    assert driver.fail(1) == ["ledger #1 unreachable", "dispatch #2 [1] to a"]


def test_a_retry_runs_alone(driver: Driver) -> None:
    driver.send(joined("a"), joined("b"))
    driver.send(*arrivals(1))
    driver.send(*arrivals(2), NodeChanged(node_id="a", cordoned=True))
    assert driver.fail(1) == ["ledger #1 unreachable"]
    assert driver.send(*arrivals(3)) == []
    assert driver.finish(2)[-1] == "dispatch #3 [1] to b"


def test_a_retry_holds_back_nobody_else(driver: Driver) -> None:
    driver.send(joined("a"), joined("b"))
    driver.send(*arrivals(1))
    driver.send(*arrivals(2))
    driver.fail(1)
    assert driver.send(*arrivals(3)) == ["dispatch #3 [3] to a"]


def test_a_node_found_dead_gets_nothing_more_and_a_sole_one_is_waited_for(driver: Driver) -> None:
    driver.send(joined(slots=2), *arrivals(1))
    driver.send(*arrivals(2))
    assert driver.fail(1, ErrorCode.NODE_LOST) == ["ledger #1 node_lost", "ledger #2 node_lost"]
    assert driver.fail(2, ErrorCode.NODE_LOST) == []
    assert driver.send(*arrivals(3)) == []
    back = joined(incarnation="2")
    assert driver.send(back) == ["dispatch #3 [1] to a"]


# -- nodes that are full ------------------------------------------------------------------


def test_what_a_full_node_turns_away_goes_elsewhere_as_if_nothing_had_been(
    make_driver: MakeDriver,
) -> None:
    driver = make_driver(max_attempts=1, retry_reserve=0)
    driver.send(joined("a"), *arrivals(1, 2))
    driver.send(joined("b"))
    assert driver.fail(1, ErrorCode.NODE_BUSY) == [
        "ledger #1 node_busy",
        "dispatch #2 [1 2] to b",
        "wake 0.03",
    ]
    driver.finish(2)
    assert driver.resolved()[1].receipt.attempts == 1


def test_a_full_node_is_left_alone_for_a_moment(driver: Driver) -> None:
    driver.send(joined(), *arrivals(1))
    assert driver.fail(1, ErrorCode.NODE_BUSY) == ["ledger #1 node_busy", "wake 0.03"]
    assert driver.send(*arrivals(2)) == []
    assert driver.advance_to(0.03) == ["dispatch #2 [1 2] to a"]


def test_a_full_node_is_not_ejected(make_driver: MakeDriver) -> None:
    driver = make_driver(eject_after_failures=1)
    driver.send(joined("a"), joined("b"), *arrivals(1))
    driver.fail(1, ErrorCode.NODE_BUSY)
    assert driver.machine.standing("a") is NodeState.READY


def test_a_request_that_is_turned_away_too_often_is_refused(make_driver: MakeDriver) -> None:
    driver = make_driver(max_refusals=3, busy_pause_s=1.0)
    driver.send(joined(), *arrivals(1))
    driver.fail(1, ErrorCode.NODE_BUSY)
    driver.advance_to(1.0)
    driver.fail(2, ErrorCode.NODE_BUSY)
    driver.advance_to(2.0)
    assert driver.fail(3, ErrorCode.NODE_BUSY)[0] == "reject 1 node_busy"
    assert driver.rejected()[1].error.retry_after_s == driver.limits.pushback_s


def test_the_queue_timeout_of_what_was_turned_away_holds(driver: Driver) -> None:
    driver.send(joined(), RequestArrived(request(1, queue_deadline=1.0)))
    driver.advance_to(1.0)
    assert driver.fail(1, ErrorCode.NODE_BUSY)[:2] == [
        "ledger #1 node_busy",
        "reject 1 queue_timeout",
    ]


# -- requests that the model fails on -----------------------------------------------------


def test_only_the_request_that_a_model_fails_on_is_rejected(driver: Driver) -> None:
    driver.send(joined(slots=3), *arrivals(1, 2, 3))
    assert fail_for_good(driver, 1) == [
        "ledger #1 execution_failed",
        "dispatch #2 [1] to a",
        "dispatch #3 [2] to a",
        "dispatch #4 [3] to a",
    ]
    assert driver.finish(2) == ["resolve 1", "ledger #2 completed"]
    assert fail_for_good(driver, 3) == ["reject 2 execution_failed", "ledger #3 execution_failed"]
    assert driver.finish(4) == ["resolve 3", "ledger #4 completed"]
    assert driver.rejected()[2].error.message == "it did not work"
    assert driver.resolved()[3].outputs == outputs_of(request(3))


def test_a_request_under_test_gets_no_company(driver: Driver) -> None:
    driver.send(joined(), *arrivals(1, 2))
    driver.send(*arrivals(3, 4))
    assert fail_for_good(driver, 1)[-1] == "dispatch #2 [1] to a"
    assert driver.finish(2)[-1] == "dispatch #3 [2] to a"
    assert driver.finish(3)[-1] == "dispatch #4 [3 4] to a"


def test_a_models_failure_is_not_held_against_the_node(make_driver: MakeDriver) -> None:
    driver = make_driver(eject_after_failures=1)
    driver.send(joined("a"), joined("b"), *arrivals(1))
    assert fail_for_good(driver, 1) == ["reject 1 execution_failed", "ledger #1 execution_failed"]
    assert driver.machine.standing("a") is NodeState.READY


def test_isolation_takes_nothing_from_the_retry_budget(make_driver: MakeDriver) -> None:
    driver = make_driver(retry_reserve=0, retry_ratio=0.0)
    driver.send(joined(slots=2), *arrivals(1, 2))
    assert fail_for_good(driver, 1)[1:] == ["dispatch #2 [1] to a", "dispatch #3 [2] to a"]


# -- lost nodes ---------------------------------------------------------------------------


def test_the_requests_of_a_lost_node_run_again_each_alone(driver: Driver) -> None:
    driver.send(joined("a"), *arrivals(1, 2, 3))
    driver.send(joined("b", slots=3))
    assert driver.send(GONE) == [
        "ledger #1 node_lost",
        "dispatch #2 [1] to b",
        "dispatch #3 [2] to b",
        "dispatch #4 [3] to b",
    ]


def test_a_request_that_fails_two_nodes_is_rejected_and_its_mates_are_not(
    driver: Driver,
) -> None:
    driver.send(joined("a"), *arrivals(1, 2))
    driver.send(joined("b"), joined("c"))
    assert driver.send(GONE)[1:] == ["dispatch #2 [1] to b", "dispatch #3 [2] to c"]
    assert driver.fail(2) == ["reject 1 unreachable", "ledger #2 unreachable"]
    assert driver.finish(3) == ["resolve 2", "ledger #3 completed"]


def test_the_message_names_the_lost_node(make_driver: MakeDriver) -> None:
    driver = make_driver(max_attempts=1)
    driver.send(joined(), *arrivals(1))
    driver.send(GONE)
    assert "node 'a' was lost (unplugged)" in driver.rejected()[1].error.message


def isolated(driver: Driver) -> list[bool]:
    return [batch.isolated for batch, _, _ in driver.dispatched.values()]


def test_what_a_node_may_have_died_of_runs_in_a_process_of_its_own(driver: Driver) -> None:
    driver.send(joined("a"), *arrivals(1))
    driver.send(joined("b"))
    driver.send(GONE)
    assert isolated(driver) == [False, True]
    assert fail_for_good(driver, 2) == ["reject 1 execution_failed", "ledger #2 execution_failed"]


def test_a_request_in_a_process_of_its_own_is_not_lost_with_others_that_kill_nodes(
    make_driver: MakeDriver,
) -> None:
    driver = make_driver(max_attempts=2)
    driver.send(joined("a"), *arrivals(1))
    for number, lost in enumerate("abcd", start=1):
        driver.send(joined(chr(ord(lost) + 1)))
        assert not driver.rejected(), f"after {number - 1} nodes were lost"
        driver.send(NodeLost(node_id=lost, reason="unplugged"))
    assert isolated(driver) == [False, True, True, True]
    assert driver.rejected()[1].error.code is ErrorCode.NODE_LOST, "but not for ever"


def test_what_failed_otherwise_needs_none(driver: Driver) -> None:
    driver.send(joined("a"), joined("b"), *arrivals(1))
    driver.fail(1)
    assert isolated(driver) == [False, False]


def test_what_a_suspect_does_is_not_held_against_its_node(make_driver: MakeDriver) -> None:
    driver = make_driver(eject_after_failures=1)
    driver.send(joined("a"), *arrivals(1))
    driver.send(joined("b"), joined("c"))
    driver.send(GONE)
    assert driver.fail(2, ErrorCode.INTERNAL)[0] == "reject 1 internal"
    assert driver.machine.standing("b") is NodeState.READY


def test_a_process_of_its_own_tells_nothing_of_a_nodes_pace(driver: Driver) -> None:
    driver.send(joined("a"), *arrivals(*range(1, 6)))
    driver.send(joined("b", curve=PAYING, slots=5))
    driver.send(GONE)
    for batch_id in list(driver.referee.flights):
        driver.finish(batch_id)
    assert len(driver.resolved()) == 5
    assert driver.machine.correction("b", digest(SCALE)) == 1.0


def test_late_answers_of_a_lost_node_are_ignored(driver: Driver) -> None:
    driver.send(joined("a"), *arrivals(1))
    driver.send(joined("b"))
    driver.send(GONE)
    assert driver.finish(1) == []
    assert driver.fail(1) == []
    assert fail_for_good(driver, 1) == []
    assert driver.finish(2) == ["resolve 1", "ledger #2 completed"]
    assert driver.finish(2) == []


def test_a_retry_that_has_no_time_left_is_not_made(driver: Driver) -> None:
    driver.send(joined("a"), RequestArrived(request(1, deadline=1.0)))
    driver.send(joined("b"))
    driver.now = 1.0
    assert driver.send(GONE) == ["ledger #1 node_lost", "reject 1 deadline_exceeded"]


# -- the budget ---------------------------------------------------------------------------


def test_retries_end_with_the_budget(make_driver: MakeDriver) -> None:
    driver = make_driver(retry_reserve=1, retry_ratio=0.0)
    driver.send(joined("a"), *arrivals(1, 2))
    driver.send(joined("b"))
    assert driver.send(GONE) == [
        "reject 2 node_lost",
        "ledger #1 node_lost",
        "dispatch #2 [1] to b",
    ]
    assert "retry budget" in driver.rejected()[2].error.message


def test_accepted_requests_earn_retries(make_driver: MakeDriver) -> None:
    driver = make_driver(retry_reserve=1, retry_ratio=0.5, eject_after_failures=9)
    driver.send(joined("a"), joined("b"))
    driver.send(*arrivals(1))
    assert driver.fail(1)[-1] == "dispatch #2 [1] to b"
    driver.finish(2)
    driver.send(*arrivals(2))
    assert driver.fail(3) == ["reject 2 unreachable", "ledger #3 unreachable"]
    driver.send(*arrivals(3))
    assert driver.fail(4)[-1].startswith("dispatch #5 [3]")


def test_refused_requests_earn_nothing(make_driver: MakeDriver) -> None:
    driver = make_driver(retry_reserve=1, retry_ratio=1.0)
    driver.send(joined("a"), *arrivals(1, 2))
    driver.send(joined("b"), *(RequestArrived(request(id_, rows=9)) for id_ in (3, 4)))
    assert driver.send(GONE)[0] == "reject 2 node_lost"


# -- ejection -----------------------------------------------------------------------------


def fail_once(driver: Driver, request_id: int) -> list[str]:
    """Send a request, fail its batch, return what the failure led to."""
    driver.send(*arrivals(request_id))
    return driver.fail(max(driver.dispatched))


def test_a_failing_node_is_ejected_longer_every_time_until_it_succeeds(
    make_driver: MakeDriver,
) -> None:
    driver = make_driver(max_attempts=1, eject_after_failures=2, eject_base_s=1, eject_max_s=3)
    driver.send(joined("a"), joined("b", models=()))

    assert fail_once(driver, 1) == ["reject 1 unreachable", "ledger #1 unreachable"]
    assert fail_once(driver, 2) == [
        "eject a until 1",
        "reject 2 unreachable",
        "ledger #2 unreachable",
        "wake 1",
    ]
    assert driver.machine.standing("a") is NodeState.EJECTED
    assert driver.send(*arrivals(3)) == []
    assert driver.advance_to(0.9) == []
    assert driver.advance_to(1.0) == ["probe a 1 digest-scale:1", "wake 11"]
    assert driver.machine.standing("a") is NodeState.EJECTED
    assert driver.send(probed("a")) == ["dispatch #3 [3] to a"]
    assert driver.machine.standing("a") is NodeState.READY
    driver.fail(3)

    assert fail_once(driver, 4)[0] == "eject a until 3"
    driver.advance_to(3.0)
    driver.send(probed("a"))
    fail_once(driver, 5)
    assert fail_once(driver, 6)[0] == "eject a until 6"
    driver.advance_to(6.0)
    driver.send(probed("a"))
    driver.send(*arrivals(7))
    driver.finish(max(driver.dispatched))
    fail_once(driver, 8)
    assert fail_once(driver, 9)[0] == "eject a until 7"


def test_a_node_that_fails_its_probe_is_out_for_longer(make_driver: MakeDriver) -> None:
    driver = make_driver(max_attempts=1, eject_after_failures=1, eject_base_s=1)
    driver.send(joined("a"), joined("b", models=()))
    fail_once(driver, 1)
    driver.advance_to(1.0)
    assert driver.send(probed("a", ok=False)) == ["eject a until 3", "wake 3"]
    assert driver.advance_to(3.0)[0] == "probe a 1 digest-scale:1"


def test_a_probe_without_an_answer_has_failed(make_driver: MakeDriver) -> None:
    driver = make_driver(max_attempts=1, eject_after_failures=1, probe_timeout_s=2)
    driver.send(joined("a"), joined("b", models=()))
    fail_once(driver, 1)
    driver.advance_to(1.0)
    assert driver.advance_to(3.0) == ["eject a until 5", "wake 5"]
    assert driver.send(probed("a")) == []
    assert driver.machine.standing("a") is NodeState.EJECTED


def test_a_probe_of_another_incarnation_means_nothing(make_driver: MakeDriver) -> None:
    driver = make_driver(max_attempts=1, eject_after_failures=1)
    driver.send(joined("a"), joined("b", models=()))
    fail_once(driver, 1)
    driver.advance_to(1.0)
    driver.send(probed("a", incarnation="0"))
    assert driver.machine.standing("a") is NodeState.EJECTED


def test_a_success_between_failures_keeps_a_node_in(make_driver: MakeDriver) -> None:
    driver = make_driver(max_attempts=1, eject_after_failures=2)
    driver.send(joined("a"), joined("b", models=()))
    for id_ in (1, 3, 5):
        fail_once(driver, id_)
        driver.send(*arrivals(id_ + 1))
        driver.finish(max(driver.dispatched))
    assert driver.machine.standing("a") is NodeState.READY


def test_at_most_half_of_the_farm_is_ejected(make_driver: MakeDriver) -> None:
    driver = make_driver(max_attempts=1, eject_after_failures=1)
    driver.send(*(joined(node_id) for node_id in ("a", "b", "c", "d")))
    for id_ in (1, 2, 3, 4):
        fail_once(driver, id_)
    states = [driver.machine.standing(node_id) for node_id in "abcd"]
    assert states.count(NodeState.EJECTED) == 2
    assert states.count(NodeState.READY) == 2


def test_a_sole_node_is_never_ejected(make_driver: MakeDriver) -> None:
    driver = make_driver(max_attempts=1, eject_after_failures=1)
    driver.send(joined())
    assert fail_once(driver, 1) == ["reject 1 unreachable", "ledger #1 unreachable"]
    assert driver.send(*arrivals(2)) == ["dispatch #2 [2] to a"]


def test_a_restarted_node_begins_anew(make_driver: MakeDriver) -> None:
    driver = make_driver(max_attempts=1, eject_after_failures=1)
    driver.send(joined("a"), joined("b", models=()))
    fail_once(driver, 1)
    assert driver.machine.standing("a") is NodeState.EJECTED
    driver.send(joined("a", incarnation="2"))
    assert driver.machine.standing("a") is NodeState.READY
    assert driver.send(*arrivals(2)) == ["dispatch #2 [2] to a"]


def test_a_failure_after_the_model_is_unloaded_ends_the_request(driver: Driver) -> None:
    driver.send(joined("a"), joined("b"), *arrivals(1))
    driver.send(ModelChanged(SCALE, None))
    assert driver.fail(1) == ["reject 1 model_unavailable", "ledger #1 unreachable"]
    driver.send(ModelChanged(SCALE, spec()))
