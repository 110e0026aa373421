"""What waits at a node that is suspected waits there no longer."""

from collections.abc import Iterable

from harness import PAYING, SCALE, Driver, arrivals, heard, joined, spec

from farm.core.ledger import WasteKind
from farm.scheduling.effects import AppendLedger
from farm.scheduling.events import ModelChanged


def let_pass(driver: Driver, seconds: int, *, heard_of: Iterable[str]) -> list[str]:
    lines: list[str] = []
    for _ in range(seconds):
        lines += driver.advance_to(driver.now + 1)
        lines += driver.send(*heard(*heard_of))
    return [line for line in lines if not line.startswith("wake")]


def behind_another(driver: Driver) -> None:
    """Node `a` runs batch 1, and batch 2 waits for its slot there; `b` comes later."""
    driver.send(ModelChanged(SCALE, spec(max_batch_size=1)), joined("a", lookahead=1, curve=PAYING))
    driver.send(*arrivals(1))
    driver.advance_to(0.099)
    assert driver.send(*arrivals(2)) == ["dispatch #2 [2] to a"]
    driver.send(joined("b", curve=PAYING), *heard("a", "b"))


def test_it_goes_to_another_node_and_what_runs_stays(driver: Driver) -> None:
    behind_another(driver)
    told = let_pass(driver, 3, heard_of="b")
    assert told == ["cancel #2 at a", "dispatch #3 [2] to b"]
    assert driver.finish(3) == ["resolve 2", "ledger #3 completed"]


def test_it_costs_no_attempt_and_nothing_is_held_against_it(driver: Driver) -> None:
    behind_another(driver)
    let_pass(driver, 3, heard_of="b")
    driver.finish(3)
    assert driver.resolved()[2].receipt.attempts == 1


def test_the_node_that_wakes_up_runs_it_for_nobody(driver: Driver) -> None:
    behind_another(driver)
    let_pass(driver, 3, heard_of="b")
    driver.finish(3)
    driver.send(*heard("a"))
    driver.finish(1)
    assert driver.finish(2) == ["ledger #2 completed"]
    (entry,) = [effect.entry for effect in driver.last() if isinstance(effect, AppendLedger)]
    assert entry.waste == {WasteKind.RETRIED: 1}


def test_where_no_other_node_is_it_waits_in_the_queue(driver: Driver) -> None:
    driver.send(ModelChanged(SCALE, spec(max_batch_size=1)), joined("a", lookahead=1, curve=PAYING))
    driver.send(joined("b", models=()), joined("c", models=()), *arrivals(1))
    driver.advance_to(0.099)
    driver.send(*arrivals(2), *heard("a", "b", "c"))
    assert let_pass(driver, 3, heard_of="bc") == ["cancel #2 at a"]
    assert driver.machine.queued(SCALE) == 1
    driver.send(*heard("a"))
    driver.finish(1)
    assert "dispatch #3 [2] to a" in driver.finish(2)
