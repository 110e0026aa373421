"""What wrong clocks and weak supplies do to a shelf under load."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial

import pytest
from digit_questions import Questions
from disguised_units import DisguisedUnits, disguised, logins_in_1970
from farm_process import wait_until
from faulty_farm import until
from history import violations
from lab import Host
from lab.terms import LabError
from recorded_load import RecordedLoad
from shelf_farm import ShelfFarm
from shelf_load import (
    ALL_AWAY,
    BACK_S,
    ShelfLoad,
    all_ready,
    developer_tls,
    incarnations,
    instance,
    operator,
)

from farm.pb.farm_admin_pb2 import NodeSnapshot

pytestmark = [pytest.mark.lab, pytest.mark.faults, pytest.mark.timeout(900)]

# As `vcgencmd get_throttled` has it: too little voltage, clock capped and throttled, now and
# before.
WEAK, SOUND = "0x70007", "0x0"
SLOW_HZ = 600_000_000
# What a service says of itself meanwhile.
WAITING = "waiting for the clock to be set"


def node_of(shelf: ShelfFarm, host: Host) -> NodeSnapshot:
    """Return how a host's node looks to the gateway."""
    with operator(shelf) as admin:
        (node,) = (each for each in admin.snapshot().nodes if each.node_id == host.name)
        return node


def status(host: Host, unit: str) -> str:
    """Return what a unit says that it does or waits for."""
    return host.shell(f"systemctl show {unit} --property StatusText --value").strip()


def findings(shelf: ShelfFarm, host: Host) -> Mapping[str, str]:
    """Return what `farm doctor` finds wrong with a host, all that each check says."""
    ended = shelf.operator.farm(
        "doctor", "-i", shelf.inventory, "--limit", host.name, "--output", "json"
    )
    (told,) = (each for each in ended.document["hosts"] if each["host"] == host.name)
    meanings: dict[str, str] = defaultdict(str)
    for finding in told["findings"]:
        if finding["severity"] != "ok":
            meanings[finding["check"]] += f"{finding['severity']}: {finding['meaning']}\n"
    return meanings


# -- clocks ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def node_units(shelf: ShelfFarm) -> Iterator[DisguisedUnits]:
    with disguised(shelf.nodes[0]) as units:
        yield units


@pytest.fixture(scope="module")
def head_units(shelf: ShelfFarm) -> Iterator[DisguisedUnits]:
    with disguised(shelf.head) as units:
        yield units


async def wakes_in_the_past(
    shelf: ShelfFarm, load: ShelfLoad, host: Host, units: DisguisedUnits, unit: str
) -> None:
    """Cut a host's power; it must wait for the right time, say so, and serve once it has it."""

    def waits() -> bool:
        # Until it has begun to boot there is nobody to ask.
        with suppress(LabError):
            return WAITING in status(host, unit)
        return False

    def lets_in() -> bool:
        return host.ssh("true").returncode == 0

    def found_in_1970() -> Mapping[str, str]:
        with logins_in_1970(host):
            # The farm's services may have started before the host's sshd.
            wait_until(lets_in, timeout_s=BACK_S, what=f"{host.name} lets its operator in")
            return findings(shelf, host)

    with load.pulling():
        await asyncio.to_thread(host.stop)
    units.set_clock_1970()
    # A boot has ended when every unit has started, or given up.
    booting = asyncio.create_task(asyncio.to_thread(host.start))
    try:
        await until(waits, f"{unit} waits for the clock", timeout_s=BACK_S)
        found = await asyncio.to_thread(found_in_1970)
    finally:
        units.set_clock(0)
        await booting
    assert "error: its clock says 1970-01-01" in found["clock"], found
    assert WAITING in found["services"]
    await load.answers_again()
    await all_ready(shelf)
    load.back()
    await load.answered()


async def test_a_node_that_wakes_in_the_past_waits_for_the_time(
    shelf: ShelfFarm,
    questions: Questions,
    node_units: DisguisedUnits,
    request: pytest.FixtureRequest,
) -> None:
    async with ShelfLoad(shelf, questions) as load:
        await wakes_in_the_past(shelf, load, shelf.nodes[0], node_units, "farm-node")
    await load.kept_its_word(request.node.name)


async def test_a_head_that_wakes_in_the_past_waits_for_the_time(
    shelf: ShelfFarm,
    questions: Questions,
    head_units: DisguisedUnits,
    request: pytest.FixtureRequest,
) -> None:
    before, unit = await incarnations(shelf), instance(shelf.head, "farm-head")
    async with ShelfLoad(shelf, questions, allowed=ALL_AWAY) as load:
        await wakes_in_the_past(shelf, load, shelf.head, head_units, unit)
    await load.kept_its_word(request.node.name)
    assert await incarnations(shelf) == before


async def test_clocks_that_jump_by_an_hour_are_nothing_to_requests(
    shelf: ShelfFarm,
    questions: Questions,
    node_units: DisguisedUnits,
    head_units: DisguisedUnits,
    request: pytest.FixtureRequest,
) -> None:
    for host in shelf.nodes[0], shelf.head:
        # From their boot on they believe the clock that is set here.
        await asyncio.to_thread(host.stop)
        await asyncio.to_thread(host.start)
    before = await incarnations(shelf)

    def gateway_is_ahead_by(seconds: float) -> bool:
        with operator(shelf) as admin:
            ahead_s = admin.snapshot().taken_unix_ns / 1e9 - time.time()
        return abs(ahead_s - seconds) < 60

    async with ShelfLoad(shelf, questions) as load:
        with load.pulling():
            for units in (node_units, head_units):
                for ahead_s in (3600, -3600, 0):
                    units.set_clock(ahead_s)
                    if units is head_units:
                        await until(partial(gateway_is_ahead_by, ahead_s), "the clock has jumped")
                    await load.answered()
        load.back()
        await load.answered()
    await load.kept_its_word(request.node.name)
    assert await incarnations(shelf) == before


# -- supplies ----------------------------------------------------------------------------


async def test_a_weak_supply_costs_a_node_its_weight_and_no_request(
    shelf: ShelfFarm,
    questions: Questions,
    node_units: DisguisedUnits,
    request: pytest.FixtureRequest,
) -> None:
    node = shelf.nodes[0]
    usual_hz = (node.disk.root / "usr/lib/board/vcgencmd/clock").read_text()

    def is_slow() -> bool:
        seen_now = node_of(shelf, node)
        return seen_now.speed < 0.5 and seen_now.throttle_flags == int(WEAK, 16)

    def is_sound() -> bool:
        seen_now = node_of(shelf, node)
        return seen_now.speed == 1.0 and not seen_now.throttle_flags

    await until(is_sound, "the node is as it should be")
    async with ShelfLoad(shelf, questions) as load:
        with load.pulling():
            node.firmware(throttled=WEAK, clock=str(SLOW_HZ))
        try:
            # The clock of a core that has nothing to do says nothing of how slow it is.
            async with RecordedLoad(
                shelf.address, questions, callers=12, tls=developer_tls(shelf)
            ) as busy:
                await until(is_slow, "the node counts for less", timeout_s=BACK_S)
            found = await asyncio.to_thread(findings, shelf, node)
        finally:
            node.firmware(throttled=SOUND, clock=usual_hz)
        await until(is_sound, "the node counts as before", timeout_s=BACK_S)
        load.back()
        await load.answered()
    await load.kept_its_word(request.node.name)
    assert violations(busy.history, questions.truth) == []
    assert "too weak right now" in found["supply"]
    with operator(shelf) as admin:
        events, _ = next(admin.events(timeout_s=10))
    told = [(event.kind, event.subject) for event in events]
    assert ("node_throttled", node.name) in told
    assert ("node_unthrottled", node.name) in told
