"""Why a batch ran requests and did not answer them, as the ledger hears it."""

from collections.abc import Mapping

import pytest
from harness import PAYING, Driver, MakeDriver, arrivals, joined, request

from farm.core.errors import ErrorCode
from farm.core.ledger import WasteKind
from farm.scheduling.effects import AppendLedger
from farm.scheduling.events import ModelChanged, NodeLost, RequestArrived, RequestCancelled
from farm.scheduling.limits import Hedging

GONE = NodeLost(node_id="a", reason="unplugged")


def wasted(driver: Driver) -> list[Mapping[WasteKind, int]]:
    """The rows that each batch wasted that was settled by the last call."""
    return [effect.entry.waste for effect in driver.last() if isinstance(effect, AppendLedger)]


@pytest.fixture
def hedged(make_driver: MakeDriver) -> Driver:
    """Requests 1 and 2 run at `a` and, as that took too long, at `b` too."""
    driver = make_driver(hedging=Hedging(after_factor=2.0))
    driver.send(joined("a", curve=PAYING), *arrivals(1, 2))
    driver.send(joined("b", curve=PAYING))
    driver.advance_to(1.0)
    assert [node_id for _, node_id, _ in driver.dispatched.values()] == ["a", "b"]
    return driver


def test_an_answered_batch_wastes_nothing(driver: Driver) -> None:
    driver.send(joined(), *arrivals(1, 2))
    driver.finish(1)
    assert wasted(driver) == [{}]


def test_whoever_left_and_whoever_came_too_late(driver: Driver) -> None:
    driver.send(joined(), RequestArrived(request(1, deadline=1.0)), *arrivals(2, 3, 4))
    driver.send(RequestCancelled(2), RequestCancelled(3))
    driver.advance_to(1.0)
    driver.finish(1)
    assert wasted(driver) == [{WasteKind.EXPIRED: 1, WasteKind.CANCELLED: 2}]


def test_what_is_wasted_is_told_in_rows(driver: Driver) -> None:
    driver.send(joined(), RequestArrived(request(1, rows=3)), RequestArrived(request(2)))
    driver.send(RequestCancelled(1))
    driver.finish(1)
    assert wasted(driver) == [{WasteKind.CANCELLED: 3}]


def test_who_is_run_again_and_who_is_given_up(driver: Driver) -> None:
    driver.send(joined("a"), joined("b"), *arrivals(1))
    driver.fail(1)
    assert wasted(driver) == [{WasteKind.RETRIED: 1}]
    driver.fail(2)
    assert wasted(driver) == [{WasteKind.FAILED: 1}]


def test_a_failed_batch_has_members_of_several_kinds(driver: Driver) -> None:
    driver.send(joined(), *arrivals(1, 2))
    driver.send(RequestCancelled(1), GONE)
    assert wasted(driver) == [{WasteKind.CANCELLED: 1, WasteKind.RETRIED: 1}]


def test_a_model_that_fails_on_one_request_is_tried_on_each(driver: Driver) -> None:
    driver.send(joined(), *arrivals(1, 2))
    driver.fail(1, ErrorCode.EXECUTION_FAILED, retryable=False)
    assert wasted(driver) == [{WasteKind.RETRIED: 2}]
    driver.fail(2, ErrorCode.EXECUTION_FAILED, retryable=False)
    assert wasted(driver) == [{WasteKind.FAILED: 1}]


def test_without_its_model_nothing_is_run_again(driver: Driver) -> None:
    driver.send(joined(), *arrivals(1))
    driver.send(ModelChanged(request(1).model, None))
    driver.send(GONE)
    assert wasted(driver) == [{WasteKind.FAILED: 1}]


@pytest.mark.parametrize(("first", "second"), [(1, 2), (2, 1)])
def test_the_copy_that_comes_second_is_hedged(hedged: Driver, first: int, second: int) -> None:
    hedged.finish(first)
    assert wasted(hedged) == [{}]
    hedged.finish(second)
    assert wasted(hedged) == [{WasteKind.HEDGED: 2}]


def test_a_copy_that_is_cancelled_is_hedged(hedged: Driver) -> None:
    hedged.finish(1)
    hedged.fail(2, ErrorCode.CANCELLED)
    assert wasted(hedged) == [{WasteKind.HEDGED: 2}]


def test_a_copy_that_fails_leaves_its_requests_to_the_other(hedged: Driver) -> None:
    hedged.fail(1)
    assert wasted(hedged) == [{WasteKind.RETRIED: 2}]
    hedged.finish(2)
    assert wasted(hedged) == [{}]


def test_who_leaves_both_copies_is_cancelled_in_both(hedged: Driver) -> None:
    hedged.send(RequestCancelled(1))
    hedged.finish(1)
    assert wasted(hedged) == [{WasteKind.CANCELLED: 1}]
    hedged.finish(2)
    assert wasted(hedged) == [{WasteKind.CANCELLED: 1, WasteKind.HEDGED: 1}]
