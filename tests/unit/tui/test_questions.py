"""What an operator is asked before something is done."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from farm_readings import model, node, snapshot

from farm.core.nodes import NodeState
from farm.core.snapshots import NodeSnapshot
from tui.readings import questions
from tui.readings.questions import Question
from tui.readings.reading import Reader, Reading


def farm(*nodes: NodeSnapshot) -> Reading:
    return Reader().read(snapshot(nodes=nodes))


@pytest.mark.parametrize(
    ("ask", "one", "two"),
    [
        (questions.cordon, "1 batch in flight ends normally", "2 batches in flight end normally"),
        (questions.drain, "1 batch in flight is waited for", "2 batches in flight are waited for"),
        (questions.restart, "run elsewhere if it takes", "run elsewhere if they take"),
    ],
)
def test_it_is_told_what_becomes_of_how_many_batches(
    ask: Callable[[Reading, NodeSnapshot], Question], one: str, two: str
) -> None:
    for batches, words in ((1, one), (2, two)):
        busy = replace(node(slots_busy=0), inflight_batches=batches)
        assert words in ask(farm(busy, node("pi-02")), busy).consequence
    idle = node(slots_busy=0)
    assert "in flight" not in ask(farm(idle), idle).consequence


def test_batches_of_other_gateways_count_too() -> None:
    busy = replace(node(slots_busy=3), inflight_batches=1)
    assert "3 batches" in questions.drain(farm(busy), busy).consequence


def test_it_is_told_who_is_left_to_serve() -> None:
    leaving, others = node(), [node(f"pi-0{number}") for number in (2, 3)]
    lost = node("pi-09", state=NodeState.LOST)
    assert "2 other nodes take" in questions.cordon(farm(leaving, *others), leaving).consequence
    assert "1 other node takes" in questions.cordon(farm(leaving, others[0]), leaving).consequence
    alone = questions.cordon(farm(leaving, lost), leaving).consequence
    assert "No other node takes batches: requests will not be answered." in alone
    assert "other node" not in questions.uncordon(farm(leaving, lost), leaving).consequence


def test_an_unload_tells_what_is_served_where_and_what_waits() -> None:
    versions = [
        model(ready_nodes=("pi-01", "pi-02"), queued=2),
        model(ready_nodes=()),
    ]
    told = questions.unload(versions, "digits")
    assert told.text == "Unload digits?"
    assert "(version 1 on 2 nodes); 2 requests in its queue will be answered" in told.consequence
    assert "queue" not in questions.unload([], "digits").consequence
    assert "served until then." in questions.load([], "digits").consequence
