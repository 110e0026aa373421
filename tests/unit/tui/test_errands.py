"""What was asked of a farm, and drains among it."""

import asyncio
from dataclasses import replace

import pytest
from farm_readings import node, snapshot
from scripted_operator import ScriptedOperator

from farm.core.errors import FarmError, NodeLostError, RequestCancelledError
from farm.core.snapshots import FarmSnapshot, NodeSnapshot
from tui.draining import TIMEOUT_S, DrainWatch, drain
from tui.errands import Errands, ErrandState, Say
from tui.sources.source import LinkChanged, LinkState, Operator, SnapshotCame
from tui.store import Store

NODE = "pi-01"
SUBJECT = ("node", NODE)


def farm(
    at_s: float, *, cordoned: bool = True, batches: int = 0, heard_s: float = 0.1
) -> FarmSnapshot:
    return snapshot(at_s, nodes=(_node(cordoned=cordoned, batches=batches, heard_s=heard_s),))


def _node(*, cordoned: bool, batches: int, heard_s: float) -> NodeSnapshot:
    bare = node(NODE, cordoned=cordoned, slots_busy=batches, heartbeat_age_s=heard_s)
    return replace(bare, inflight_batches=batches)


async def test_the_latest_errand_is_the_one_that_is_shown() -> None:
    errands, operator = Errands(), ScriptedOperator()
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_: Operator, say: Say) -> str:
        say("half way")
        begun.set()
        await go_on.wait()
        say("nearly there")
        return "slow is done"

    async def quick(_: Operator, _say: Say) -> str:
        return "quick is done"

    first = asyncio.create_task(errands.run(SUBJECT, "first", slow, operator))
    await begun.wait()
    shown = errands.latest(SUBJECT)
    assert shown is not None
    assert (shown.state, shown.text) == (ErrandState.RUNNING, "half way")
    await errands.run(SUBJECT, "second", quick, operator)
    go_on.set()
    assert (await first).text == "slow is done"
    latest = errands.latest(SUBJECT)
    assert latest is not None
    assert (latest.name, latest.state, latest.text) == ("second", ErrandState.DONE, "quick is done")
    assert errands.latest(("model", NODE)) is None


async def test_a_failure_is_an_outcome() -> None:
    async def failing(_: Operator, _say: Say) -> str:
        raise NodeLostError("it is not up")

    errand = await Errands().run(SUBJECT, "restart", failing, ScriptedOperator())
    assert (errand.state, errand.text) == (ErrandState.FAILED, "it is not up")


async def test_an_errand_whose_connection_is_lost_may_be_done_all_the_same() -> None:
    async def cut_off(_: Operator, _say: Say) -> str:
        raise RequestCancelledError("this client is closed; make a new one")

    errand = await Errands().run(SUBJECT, "restart", cut_off, ScriptedOperator())
    assert errand.state is ErrandState.FAILED
    assert "it may be done all the same" in errand.text


def test_a_drain_ends_once_a_node_is_idle_and_was_heard_since() -> None:
    watch = DrainWatch(NODE)
    assert "waiting for the gateway" in watch.left(farm(0, cordoned=False, batches=3))
    assert watch.left(farm(1, batches=3)) == "3 batches in flight"
    assert watch.left(farm(2, batches=1)) == "1 batch in flight"
    assert watch.left(farm(2.5, heard_s=2)) == "waiting for its next heartbeat"
    assert not watch.left(farm(3))


def test_a_drain_that_somebody_ends_or_whose_node_goes_is_no_success() -> None:
    watch = DrainWatch(NODE)
    watch.left(farm(1, batches=3))
    with pytest.raises(FarmError, match="put back into service"):
        watch.left(farm(2, cordoned=False))
    with pytest.raises(NodeLostError):
        watch.left(snapshot(3, nodes=(node("pi-02"),)))


async def test_a_drain_gives_up_and_says_that_the_node_stays_cordoned() -> None:
    operator, store, said = ScriptedOperator(), Store(), list[str]()
    clock = iter([0.0, 0.0, 10.0, TIMEOUT_S + 1])
    at = 0.0

    def now() -> float:
        nonlocal at
        at = next(clock, at)
        return at

    def say(text: str) -> None:
        said.append(text)

    store.take(SnapshotCame(snapshot=farm(0, cordoned=False)), 0.0)
    store.take(LinkChanged(state=LinkState.DOWN), 0.0)
    with pytest.raises(FarmError, match="It stays cordoned: drain it again"):
        await drain(operator, say, node_id=NODE, store=store, now=now)
    assert operator.told == [("cordon", NODE)]
    assert said[-1] == "waiting for the gateway to tell of it; the gateway is silent"


async def test_what_cannot_be_cordoned_is_not_waited_for() -> None:
    operator = ScriptedOperator()
    operator.refusal = NodeLostError("it is not up")
    with pytest.raises(NodeLostError):
        await drain(operator, lambda _: None, node_id=NODE, store=Store(), now=lambda: 0.0)
