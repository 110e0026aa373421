"""Nodes and models that come, change and go."""

from harness import SCALE, Driver, arrivals, digest, joined, spec

from farm.scheduling.events import ModelChanged, NodeChanged, NodeLost


def test_a_node_that_joins_takes_what_waits(driver: Driver) -> None:
    driver.send(*arrivals(1, 2))
    assert driver.send(joined()) == ["dispatch #1 [1 2] to a"]


def test_a_new_incarnation_gets_the_work_of_the_old_one_again(driver: Driver) -> None:
    driver.send(joined(), *arrivals(1, 2))
    assert driver.send(joined(incarnation="2", slots=2)) == [
        "ledger #1 node_lost",
        "dispatch #2 [1] to a",
        "dispatch #3 [2] to a",
    ]
    assert driver.finish(1) == []
    assert driver.finish(2) == ["resolve 1", "ledger #2 completed"]


def test_joining_again_in_the_same_incarnation_loses_nothing(driver: Driver) -> None:
    driver.send(joined(), *arrivals(1))
    driver.send(NodeChanged(node_id="a", ready={}), *arrivals(2))
    assert driver.send(joined()) == []
    assert driver.finish(1) == ["resolve 1", "ledger #1 completed", "dispatch #2 [2] to a"]


def test_losing_a_node_twice_changes_nothing(driver: Driver) -> None:
    driver.send(joined(), *arrivals(1))
    gone = NodeLost(node_id="a", reason="unplugged")
    assert driver.send(gone) == ["ledger #1 node_lost"]
    assert driver.send(gone) == []


def test_a_cordoned_node_finishes_and_gets_no_more_until_it_is_uncordoned(
    driver: Driver,
) -> None:
    driver.send(joined(), *arrivals(1))
    assert driver.send(NodeChanged(node_id="a", cordoned=True), *arrivals(2)) == []
    assert driver.finish(1) == ["resolve 1", "ledger #1 completed"]
    assert driver.send(NodeChanged(node_id="a", ready={digest(SCALE): None})) == []
    assert driver.send(NodeChanged(node_id="a", cordoned=False)) == ["dispatch #2 [2] to a"]


def test_a_node_takes_work_once_the_model_is_ready_there(driver: Driver) -> None:
    driver.send(joined(models=()), *arrivals(1))
    assert driver.send(NodeChanged(node_id="a", ready={digest(SCALE): None})) == [
        "dispatch #1 [1] to a"
    ]


def test_changes_of_unknown_nodes_are_ignored(driver: Driver) -> None:
    assert driver.send(NodeChanged(node_id="ghost", cordoned=True)) == []
    assert driver.send(NodeLost(node_id="ghost", reason="unplugged")) == []
    assert repr(driver.machine) == "<Machine 0 requests (0 queued), 0 batches, 0 nodes>"


def test_unloading_a_model_rejects_what_waits_and_lets_the_rest_finish(driver: Driver) -> None:
    driver.send(joined(), *arrivals(1))
    driver.send(*arrivals(2))
    assert driver.send(ModelChanged(SCALE, None)) == ["reject 2 model_unavailable"]
    assert driver.send(*arrivals(3)) == ["reject 3 model_not_found"]
    assert driver.finish(1) == ["resolve 1", "ledger #1 completed"]


def test_unloading_an_unknown_model_changes_nothing(driver: Driver) -> None:
    driver.send(ModelChanged(SCALE, None))
    assert driver.send(ModelChanged(SCALE, None)) == []


def test_new_content_waits_for_a_node_that_has_it(driver: Driver) -> None:
    driver.send(joined())
    driver.send(ModelChanged(SCALE, spec(digest_="newer")))
    assert driver.send(*arrivals(1)) == []
    assert driver.send(NodeChanged(node_id="a", ready={"newer": None})) == ["dispatch #1 [1] to a"]
