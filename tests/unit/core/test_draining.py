"""When a cordoned node has done its work."""

from dataclasses import replace

import pytest
from farm_readings import node

from farm.core.draining import SETTLE_S, is_idle, running
from farm.core.nodes import NodeState


def test_a_node_with_nothing_in_flight_is_idle_once_it_was_heard_after_its_cordon() -> None:
    quiet = node(state=NodeState.CORDONED, slots_busy=0, heartbeat_age_s=0.5)
    assert not is_idle(quiet, SETTLE_S)
    assert running(quiet) == "waiting for its next heartbeat"
    assert is_idle(quiet, SETTLE_S + 0.6)


@pytest.mark.parametrize(
    ("inflight", "slots_busy", "words"),
    [(1, 0, "1 batch in flight"), (0, 2, "2 batches in flight"), (3, 2, "3 batches in flight")],
)
def test_work_of_this_gateway_or_another_keeps_a_node_from_being_idle(
    inflight: int, slots_busy: int, words: str
) -> None:
    busy = replace(node(slots_busy=slots_busy), inflight_batches=inflight)
    assert not is_idle(busy, 3600)
    assert running(busy) == words


def test_a_lost_node_is_idle_once_its_batches_are_given_up() -> None:
    lost = node(state=NodeState.LOST, slots_busy=2, heartbeat_age_s=100)
    assert not is_idle(lost, 0)
    assert is_idle(replace(lost, inflight_batches=0), 0)
