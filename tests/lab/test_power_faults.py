"""A whole shelf without power, under load: its hosts get it back in any order."""

import asyncio
import signal
from collections.abc import Sequence
from random import Random

import pytest
from digit_questions import Questions
from lab import Host
from shelf_farm import ShelfFarm
from shelf_load import ALL_AWAY, ShelfLoad, all_ready, signal_process, up

WORKER = r"default_worker\.py|^ray::IDLE"

pytestmark = [pytest.mark.lab, pytest.mark.faults, pytest.mark.timeout(900)]


def switching_on(shelf: ShelfFarm, order: str) -> Sequence[Host]:
    """Return the hosts in the order in which they get their power back."""
    if order == "head last":
        return [*shelf.nodes, shelf.head]
    nodes = list(shelf.nodes)
    Random(order).shuffle(nodes)
    return [shelf.head, *nodes]


@pytest.mark.parametrize("order", ["head last", "head first"])
async def test_a_shelf_without_power_comes_back_in_any_order(
    shelf: ShelfFarm, questions: Questions, order: str, request: pytest.FixtureRequest
) -> None:
    *soon, late = switching_on(shelf, order)
    async with ShelfLoad(shelf, questions, allowed=ALL_AWAY) as load:
        with load.pulling():
            for host in shelf.hosts:
                await asyncio.to_thread(host.stop)
        # A boot has ended when every unit has started, and a node's waits for the head.
        async with asyncio.TaskGroup() as boots:
            for host in soon:
                boots.create_task(asyncio.to_thread(host.start))
                await up(host)
            if late is not shelf.head:
                # A node that stays away keeps nobody waiting.
                await load.answers_again()
            boots.create_task(asyncio.to_thread(late.start))
        await load.answers_again()
        await all_ready(shelf)
        await load.answered()
    await load.kept_its_word(request.node.name)


async def test_a_head_that_loses_power_while_a_node_starts_gets_it_back(
    shelf: ShelfFarm, questions: Questions, request: pytest.FixtureRequest
) -> None:
    node = shelf.nodes[0]
    async with ShelfLoad(shelf, questions, allowed=ALL_AWAY) as load:
        with load.pulling():
            await asyncio.to_thread(node.stop)
            await asyncio.to_thread(node.start)
            # Ray starts a worker there for the head that is lost; it is up after the next head.
            await asyncio.to_thread(node.await_process, WORKER)
            await asyncio.to_thread(shelf.head.stop)
            signal_process(node, WORKER, signal.SIGSTOP)
        await asyncio.to_thread(shelf.head.start)
        signal_process(node, WORKER, signal.SIGCONT)
        await load.answers_again()
        await all_ready(shelf)
        load.back()
        await load.answered()
    await load.kept_its_word(request.node.name)
