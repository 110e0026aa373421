"""What the head can suffer, under load on real hosts: its processes die, hang, or reboot."""

import asyncio
import signal
from collections.abc import Mapping

import pytest
from digit_questions import Questions
from faulty_farm import until
from lab import Host
from shelf_farm import ShelfFarm
from shelf_load import (
    BACK_S,
    GATEWAY,
    HEAD,
    ShelfLoad,
    all_ready,
    incarnations,
    instance,
    main_pid,
    seen,
    signal_process,
)

from farm.core.errors import ErrorCode

pytestmark = [pytest.mark.lab, pytest.mark.faults, pytest.mark.timeout(900)]

GATEWAY_PROGRAM = "farm run gateway"
# What clients are told that do not try again, while no gateway is there or one is leaving.
AWAY = (ErrorCode.UNREACHABLE, ErrorCode.DRAINING)


def loads(shelf: ShelfFarm) -> Mapping[str, str]:
    """Return what every load of a model leaves anew on a node's disk, by node."""
    folders = "/var/lib/farm/node/models/* /var/lib/farm/node/trials/*"
    return {node.name: node.shell(f"stat -c '%n %i %z' {folders}") for node in shelf.nodes}


async def restarted(host: Host, unit: str, before: str) -> None:
    """Wait until a unit is another process than before, and has started."""

    def is_another() -> bool:
        started = host.shell(f"systemctl is-active {unit} || :").strip() == "active"
        return started and main_pid(host, unit) not in {before, "0"}

    await until(is_another, f"{unit} was restarted", timeout_s=BACK_S)


@pytest.mark.parametrize("program", ["gcs_server", "raylet"])
async def test_rays_head_is_missed_by_no_request(
    shelf: ShelfFarm, questions: Questions, program: str, request: pytest.FixtureRequest
) -> None:
    actors, loaded = await incarnations(shelf), loads(shelf)
    head, gateway = instance(shelf.head, HEAD), instance(shelf.head, GATEWAY)
    led_by, served_by = main_pid(shelf.head, head), main_pid(shelf.head, gateway)
    async with ShelfLoad(shelf, questions) as load:
        with load.pulling():
            signal_process(shelf.head, rf"^\S*/{program} ", signal.SIGKILL)
        await restarted(shelf.head, head, led_by)
        load.back()
        await load.answered()
    await load.kept_its_word(request.node.name)
    assert main_pid(shelf.head, gateway) == served_by
    assert (await incarnations(shelf), loads(shelf)) == (actors, loaded)
    await replaces_an_actor(shelf)


async def replaces_an_actor(shelf: ShelfFarm) -> None:
    """See that a gateway still has Ray at its command: it puts an actor in a dead one's place."""
    node, before = shelf.nodes[0], await incarnations(shelf)
    signal_process(node, r"^ray::NodeActor", signal.SIGKILL)
    await seen(
        shelf,
        lambda farm: any(
            each.node_id == node.name
            and each.state == "ready"
            and each.incarnation != before[node.name]
            for each in farm.nodes
        ),
        "a new actor took the dead one's place",
    )


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "terminated"])
async def test_a_gateway_that_ends_comes_back_to_loaded_models(
    shelf: ShelfFarm,
    questions: Questions,
    number: signal.Signals,
    request: pytest.FixtureRequest,
) -> None:
    await gateway_lost(shelf, questions, number, request.node.name)


async def test_a_gateway_that_hangs_is_restarted(
    shelf: ShelfFarm, questions: Questions, request: pytest.FixtureRequest
) -> None:
    await gateway_lost(shelf, questions, signal.SIGSTOP, request.node.name)
    gateway = instance(shelf.head, GATEWAY)
    assert "Watchdog timeout" in shelf.head.shell(f"journalctl --unit {gateway} --output cat")


async def gateway_lost(
    shelf: ShelfFarm, questions: Questions, number: signal.Signals, fault: str
) -> None:
    """Send the gateway a signal under load; the next one must find actors and models there."""
    actors, loaded = await incarnations(shelf), loads(shelf)
    gateway = instance(shelf.head, GATEWAY)
    served_by = main_pid(shelf.head, gateway)
    async with ShelfLoad(shelf, questions, allowed=AWAY) as load:
        with load.pulling():
            signal_process(shelf.head, GATEWAY_PROGRAM, number)
        await restarted(shelf.head, gateway, served_by)
        await load.answers_again()
        await all_ready(shelf)
        await load.answered()
    await load.kept_its_word(fault)
    assert (await incarnations(shelf), loads(shelf)) == (actors, loaded)


async def test_a_head_that_loses_power_is_waited_for(
    shelf: ShelfFarm, questions: Questions, request: pytest.FixtureRequest
) -> None:
    actors, loaded = await incarnations(shelf), loads(shelf)
    async with ShelfLoad(shelf, questions, allowed=AWAY) as load:
        with load.pulling():
            await asyncio.to_thread(shelf.head.stop)
        try:
            await load.missed()
        finally:
            await asyncio.to_thread(shelf.head.start)
        await load.answers_again()
        await all_ready(shelf)
        await load.answered()
    await load.kept_its_word(request.node.name)
    assert (await incarnations(shelf), loads(shelf)) == (actors, loaded)
