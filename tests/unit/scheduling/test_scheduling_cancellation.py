"""Callers that go away, at every stage of a request's life."""

from harness import Driver, MakeDriver, arrivals, joined, outputs_of, request

from farm.core.nodes import NodeState
from farm.scheduling.effects import AppendLedger
from farm.scheduling.events import NodeLost, RequestArrived, RequestCancelled


def test_queued(driver: Driver) -> None:
    driver.send(*arrivals(1, 2))
    assert driver.send(RequestCancelled(1)) == ["reject 1 cancelled"]
    assert repr(driver.machine) == "<Machine 1 requests (1 queued), 0 batches, 0 nodes>"
    assert driver.send(joined()) == ["dispatch #1 [2] to a"]


def test_in_flight(driver: Driver) -> None:
    driver.send(joined(), *arrivals(1, 2))
    assert driver.send(RequestCancelled(1)) == ["reject 1 cancelled"]
    assert driver.finish(1) == ["resolve 2", "ledger #1 completed"]
    assert driver.resolved()[2].outputs == outputs_of(request(2))


def test_a_cancelled_members_joules_are_not_charged_to_its_mates(driver: Driver) -> None:
    driver.send(joined(), *arrivals(1, 2))
    driver.send(RequestCancelled(1))
    driver.finish(1, joules=4.0)
    energy = driver.resolved()[2].receipt.energy
    assert energy is not None
    assert energy.joules == 2.0
    ledger = driver.last()[-1]
    assert isinstance(ledger, AppendLedger)
    assert (ledger.entry.requests, ledger.entry.wasted) == (1, 1)


def test_a_whole_batch_is_cancelled_and_keeps_its_slot_until_it_is_settled(
    driver: Driver,
) -> None:
    driver.send(joined(), *arrivals(1, 2))
    assert driver.send(RequestCancelled(1), RequestCancelled(2)) == [
        "reject 1 cancelled",
        "cancel #1 at a",
        "reject 2 cancelled",
    ]
    assert driver.send(*arrivals(3)) == []
    assert repr(driver.machine) == "<Machine 1 requests (1 queued), 1 batches, 1 nodes>"
    assert driver.finish(1) == ["ledger #1 completed", "dispatch #2 [3] to a"]


def test_a_cancelled_batch_that_fails_is_not_held_against_its_node(
    make_driver: MakeDriver,
) -> None:
    driver = make_driver(eject_after_failures=1)
    driver.send(joined("a"), joined("b"), *arrivals(1))
    assert driver.send(RequestCancelled(1)) == ["cancel #1 at a", "reject 1 cancelled"]
    assert driver.fail(1) == ["ledger #1 unreachable"]
    assert driver.machine.standing("a") is NodeState.READY


def test_waiting_for_a_retry(driver: Driver) -> None:
    driver.send(joined(), *arrivals(1, 2))
    driver.send(NodeLost(node_id="a", reason="unplugged"))
    assert driver.send(RequestCancelled(1)) == ["reject 1 cancelled"]
    assert driver.send(joined("b")) == ["dispatch #2 [2] to b"]


def test_before_the_batch_can_form(driver: Driver) -> None:
    driver.send(joined())
    assert driver.send(RequestArrived(request(1)), RequestCancelled(1)) == ["reject 1 cancelled"]


def test_after_the_reply(driver: Driver) -> None:
    driver.send(joined(), *arrivals(1))
    driver.finish(1)
    assert driver.send(RequestCancelled(1)) == []


def test_twice(driver: Driver) -> None:
    driver.send(*arrivals(1))
    driver.send(RequestCancelled(1))
    assert driver.send(RequestCancelled(1)) == []


def test_never_heard_of(driver: Driver) -> None:
    assert driver.send(RequestCancelled(99)) == []
