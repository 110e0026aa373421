"""Nodes that are killed, hang, stand still and lose power under load, on real hosts."""

import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from history import NO_NODE_LEFT
from lab import Host
from node_loss import OUTAGE_S, Survives
from shelf_farm import ShelfFarm
from shelf_load import signal_process

pytestmark = [pytest.mark.lab, pytest.mark.faults, pytest.mark.timeout(900)]

ACTOR, RAYLET = "^ray::NodeActor", r"^\S*/raylet "


def everywhere(act: Callable[[Host], None], hosts: Sequence[Host]) -> None:
    """Do something to several hosts at once."""
    with ThreadPoolExecutor(len(hosts)) as pool:
        list(pool.map(act, hosts))


@pytest.mark.parametrize(
    ("program", "fault"),
    [(ACTOR, signal.SIGKILL), (ACTOR, signal.SIGSTOP), (RAYLET, signal.SIGKILL)],
    ids=["actor-killed", "actor-hung", "raylet-killed"],
)
async def test_a_process_of_a_node_fails_no_request(
    long_shelf: ShelfFarm, survives: Survives, program: str, fault: signal.Signals
) -> None:
    node = long_shelf.nodes[0]
    await survives([node], inject=lambda: signal_process(node, program, fault))


async def test_a_node_that_stands_still_fails_no_request(
    long_shelf: ShelfFarm, survives: Survives
) -> None:
    node = long_shelf.nodes[1]
    await survives([node], inject=node.freeze, mend=node.thaw, outage_s=OUTAGE_S)


async def test_a_node_without_memory_fails_no_request(
    long_shelf: ShelfFarm, survives: Survives
) -> None:
    node = long_shelf.nodes[2]
    await survives([node], inject=lambda: node.exhaust_memory(ACTOR), mend=node.release_memory)


async def test_half_of_the_nodes_lose_power_and_no_request_fails(
    long_shelf: ShelfFarm, survives: Survives
) -> None:
    half = long_shelf.nodes[: len(long_shelf.nodes) // 2]
    await survives(
        half, inject=lambda: everywhere(Host.stop, half), mend=lambda: everywhere(Host.start, half)
    )


async def test_all_nodes_lose_power_and_clients_wait_for_them(
    long_shelf: ShelfFarm, survives: Survives
) -> None:
    await survives(
        long_shelf.nodes,
        inject=lambda: everywhere(Host.stop, long_shelf.nodes),
        mend=lambda: everywhere(Host.start, long_shelf.nodes),
        allowed=NO_NODE_LEFT,
    )
