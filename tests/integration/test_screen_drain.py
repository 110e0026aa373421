"""The operator's screen over a real farm under traffic: a node is drained by keys alone."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from digit_load import Load
from farm_process import FarmProcess
from screen_text import screen_text
from textual.pilot import Pilot

from farm.client import AdminClient
from farm.core.nodes import NodeState
from tui.app import FarmTop
from tui.options import TopOptions
from tui.readings.reading import NodeReading
from tui.screens.node import NodeScreen
from tui.sources.connection import Connection
from tui.sources.gateway import GatewaySource
from tui.sources.gateway_operator import GatewayOperator

pytestmark = [pytest.mark.integration, pytest.mark.screen]

BOUND_S = 60.0
NODE = "local-2"
# Answers in which a node that takes batches would have had its share.
MANY = 300


async def test_a_node_is_drained_from_the_screen_and_its_traffic_goes_elsewhere(
    farm: FarmProcess, load: Load
) -> None:
    connection = Connection(farm.grpc, lambda: AdminClient(farm.grpc))
    top = FarmTop(
        GatewaySource(connection), operator=GatewayOperator(connection), options=TopOptions()
    )
    with AdminClient(farm.grpc) as admin:
        try:
            async with traffic(load), top.run_test(size=(120, 40)) as pilot:
                await until(pilot, lambda: load.nodes[NODE] > 0 and known(top) is not None)
                # Nodes are sorted by name.
                await pilot.press("down", "enter")
                await until(pilot, lambda: isinstance(top.screen, NodeScreen))
                await until(pilot, lambda: f"ready {NODE}" in screen_text(top))
                await until(pilot, lambda: "digits:1 ready" in screen_text(top))

                await pilot.press("d")
                await until(pilot, lambda: f"Drain {NODE}?" in screen_text(top))
                await pilot.press("y")
                await until(pilot, lambda: f"drain {NODE}: done" in screen_text(top))
                await until(pilot, lambda: state(top) is NodeState.CORDONED)
                had, others = answers(top), answers(top, of_others=True)
                await until(pilot, lambda: answers(top, of_others=True) >= others + MANY)
                assert answers(top) == had

                await pilot.press("u")
                await until(pilot, lambda: f"Uncordon {NODE}?" in screen_text(top))
                await pilot.press("y")
                await until(pilot, lambda: state(top) is NodeState.READY)
                await until(pilot, lambda: answers(top) > had)
        finally:
            admin.uncordon(NODE)
    assert load.errors == []
    assert load.wrong == 0


@asynccontextmanager
async def traffic(load: Load) -> AsyncIterator[None]:
    done = asyncio.Event()
    running = asyncio.create_task(load.run(concurrency=6, go_on=lambda: not done.is_set()))
    try:
        yield
    finally:
        done.set()
        await running


def known(top: FarmTop) -> NodeReading | None:
    """The node, as the screen knows it."""
    reading = top.store.reading
    return None if reading is None else reading.nodes.get(NODE)


def state(top: FarmTop) -> NodeState | None:
    node = known(top)
    return None if node is None else node.node.state


def answers(top: FarmTop, *, of_others: bool = False) -> int:
    """Answers of the node, or of all others, as the screen knows them."""
    assert top.store.reading is not None
    return sum(
        each.node.work.answers_total
        for node_id, each in top.store.reading.nodes.items()
        if (node_id != NODE) is of_others
    )


async def until(pilot: Pilot[None], condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + BOUND_S
    while not condition():
        assert time.monotonic() < ends, screen_text(pilot.app)
        await pilot.pause(0.05)
