"""The node screen: what it shows, and what can be done there."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from farm_readings import BEGINS, SECOND, node, snapshot
from screen_text import screen_lines, screen_text
from scripted_operator import ScriptedOperator
from still_top import StillTop, at, tell, until
from textual.pilot import Pilot

from farm.core.errors import NodeLostError, UnreachableError, UnsupportedError
from farm.core.histories import HistoryPoint
from farm.core.nodes import NodeState
from farm.core.snapshots import NodeSnapshot
from tui.options import TopOptions
from tui.sources.source import LinkChanged, LinkState, SnapshotCame

UP = LinkChanged(state=LinkState.UP)
NAME = "pi-01"


def farm(*nodes: NodeSnapshot, at_s: float = 0.0) -> SnapshotCame:
    return SnapshotCame(snapshot=snapshot(at_s, nodes=nodes or (node(NAME), node("pi-02"))))


@asynccontextmanager
async def node_screen(
    operator: ScriptedOperator | None,
    update: SnapshotCame | None = None,
    *,
    size: tuple[int, int] = (80, 24),
    options: TopOptions = TopOptions(),  # noqa: B008
) -> AsyncIterator[Pilot[None]]:
    top = StillTop(UP, update or farm(), operator=operator, options=options)
    async with top.run_test(size=size) as pilot:
        top.open_node(NAME)
        await pilot.pause()
        await tell(pilot)
        yield pilot


def text(pilot: Pilot[None]) -> Callable[[str], Callable[[], bool]]:
    """Return a maker of conditions: that some words are on the screen."""
    return lambda words: lambda: words in " ".join(screen_text(pilot.app).split())


def toasts(pilot: Pilot[None]) -> list[str]:
    return [toast.message for toast in pilot.app._notifications]


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (200, 60)])
async def test_what_matters_first_is_first_at_any_size(size: tuple[int, int]) -> None:
    ailing = node(
        NAME, state=NodeState.EJECTED, reason="2 batches in a row failed", throttle_flags=1
    )
    async with node_screen(ScriptedOperator(), farm(ailing), size=size) as pilot:
        lines = screen_lines(pilot.app)
        assert lines[0] == f"◍ ejected {NAME}"
        assert lines[1].startswith("▲ 2 batches in a row failed")
        assert "under-voltage" in " ".join(lines[1:3])
        assert all(len(line) <= size[0] for line in lines)


async def test_large_terminals_show_every_part_at_once() -> None:
    async with node_screen(ScriptedOperator(), size=(200, 60)) as pilot:
        await until(pilot, text(pilot)("812 12 ms 32 14 digits:1 runs"))
        for words in ("temperature 55 °C", "1 of 4 busy", "execution failed", "a node came up"):
            await until(pilot, text(pilot)(words))


async def test_small_ones_show_a_part_at_a_time() -> None:
    async with node_screen(ScriptedOperator()) as pilot:
        seen = text(pilot)
        assert seen("[History] Batches Curves Log")()
        assert seen("requests/s 0")()
        await pilot.press("tab")
        await until(pilot, seen("813 4.0 ms 8 8 digits:1 waits there"))
        assert seen("[Batches]")()
        assert seen("bad node \\x1b[31mMatMul")()
        await pilot.press("tab")
        await until(pilot, seen("big:2 not ready: needs 2 GiB [/red]"))
        assert seen("batches really take 1.25 times as long")()
        assert seen("8 1.2 ms 1.5 ms 6.7k")()
        await pilot.press("shift+tab", "shift+tab", "shift+tab")
        await until(pilot, seen("a node came up"))
        assert await pilot.click("PaneTab")
        assert seen("[History]")()


async def test_plots_show_what_the_gateway_remembers_and_go_further_back() -> None:
    operator = ScriptedOperator()
    operator.points = [
        HistoryPoint(unix_ns=BEGINS - ago * SECOND, cpu_fraction=load)
        for ago, load in ((7200, 0.9), (600, 0.05))
    ]
    async with node_screen(operator) as pilot:
        await until(pilot, text(pilot)("load 25% 5% to 25%"))
        assert text(pilot)("-15 min now")()
        await pilot.press("z", "z")
        await until(pilot, text(pilot)("load 25% 5% to 90%"))
        assert text(pilot)("-6 h now")()
        await pilot.press("z")
        await until(pilot, text(pilot)("-2 min now"))


async def test_a_log_is_followed_from_when_it_is_looked_at_until_the_screen_is_left() -> None:
    operator = ScriptedOperator()
    operator.log_texts = ["[/bad] markup", "colour \x1b[31m"]
    async with node_screen(operator) as pilot:
        assert not operator.logs
        await pilot.press("l")
        await until(pilot, text(pilot)("info [/bad] markup"))
        assert text(pilot)("info colour \\x1b[31m")()
        await pilot.press("escape")
        await until(pilot, operator.logs[0].closed.is_set)


async def test_a_log_that_is_followed_holds_up_nothing_else() -> None:
    operator = ScriptedOperator()
    top = StillTop(UP, farm(), operator=operator)
    async with top.run_test(size=(200, 60)) as pilot:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        top.open_node(NAME)
        await until(pilot, text(pilot)("a node came up"))
        operator.details = replace(operator.details, batches=())
        await until(pilot, lambda: "812" not in screen_text(pilot.app))


async def test_an_older_gateway_is_said_to_be_one() -> None:
    operator = ScriptedOperator()
    operator.trouble = UnsupportedError("Method not found!")
    async with node_screen(operator, size=(200, 60)) as pilot:
        await until(pilot, text(pilot)("this gateway is of another version and tells no logs"))
        assert text(pilot)("this gateway is of another version and does not tell this")()
        assert "Method not found" not in screen_text(pilot.app)


async def test_what_was_known_stays_when_a_gateway_goes_away() -> None:
    operator = ScriptedOperator()
    async with node_screen(operator) as pilot:
        await pilot.press("tab")
        await until(pilot, text(pilot)("812"))
        operator.trouble = UnreachableError("pi-head:8001 does not answer")
        await until(pilot, text(pilot)("pi-head:8001 does not answer"))
        assert text(pilot)("812")()


async def test_what_cannot_be_understood_is_said_so() -> None:
    operator = ScriptedOperator()
    operator.trouble = ValueError("odd")
    async with node_screen(operator) as pilot:
        await pilot.press("tab")
        await until(pilot, text(pilot)("what the gateway says cannot be understood"))


async def test_a_node_that_is_gone_or_not_yet_known() -> None:
    async with node_screen(None, farm(node("pi-02"))) as pilot:
        assert text(pilot)(f"{NAME}: the farm has no such node")()
        await tell(pilot, farm(at_s=1))
        assert text(pilot)(f"ready {NAME}")()


async def test_a_node_that_leaves_the_farm_is_said_to_be_gone_until_it_is_back() -> None:
    async with node_screen(None) as pilot:
        await tell(pilot, farm(node("pi-02"), at_s=1))
        assert text(pilot)(f"{NAME}: the farm has no such node any more")()
        assert pilot.app.screen.has_class("-gone")
        await tell(pilot, farm(at_s=2))
        assert text(pilot)(f"ready {NAME}")()
        assert not pilot.app.screen.has_class("-gone")


async def test_a_recording_shows_what_it_holds_and_says_what_it_does_not() -> None:
    async with node_screen(None, size=(200, 60)) as pilot:
        assert text(pilot)("temperature 55 °C")()
        await until(pilot, text(pilot)("gateway pi-head:8001 does not hold this"))
        await until(pilot, text(pilot)("holds no logs"))
        await pilot.press("d")
        assert "nothing can be done" in toasts(pilot)[-1]


async def test_nothing_is_done_in_read_only_mode() -> None:
    operator = ScriptedOperator()
    async with node_screen(operator, options=TopOptions(read_only=True)) as pilot:
        for key in "oudR":
            await pilot.press(key)
        await pilot.pause()
        assert len(toasts(pilot)) == 4
        assert all("read-only" in toast for toast in toasts(pilot))
        assert not operator.told


@pytest.mark.parametrize(
    ("key", "action", "question", "outcome"),
    [
        ("o", "cordon", "1 batch in flight ends normally", "no new batches"),
        ("R", "restart", "1 batch in flight is", "process is up"),
    ],
)
async def test_an_action_is_done_once_it_is_agreed_to(
    key: str, action: str, question: str, outcome: str
) -> None:
    operator = ScriptedOperator()
    async with node_screen(operator) as pilot:
        await pilot.press(key)
        await until(pilot, text(pilot)(question))
        await pilot.press("escape")
        await pilot.pause()
        assert not operator.told
        await pilot.press(key)
        await pilot.press("y")
        await until(pilot, lambda: toasts(pilot))
        assert operator.told == [(action, NAME)]
        assert outcome in toasts(pilot)[0]
        await until(pilot, text(pilot)(f"{action} {NAME}: done:"))


async def test_what_would_change_nothing_is_not_asked() -> None:
    operator = ScriptedOperator()
    async with node_screen(operator) as pilot:
        await pilot.press("u")
        assert toasts(pilot) == [f"uncordon: {NAME} is not cordoned"]
        await tell(pilot, farm(node(NAME, state=NodeState.CORDONED, cordoned=True), at_s=1))
        await pilot.press("o")
        assert toasts(pilot)[-1] == f"cordon: {NAME} is cordoned already"
        await pilot.press("u", "y")
        await until(pilot, lambda: operator.told == [("uncordon", NAME)])


async def test_a_failure_is_told_and_stays() -> None:
    operator = ScriptedOperator()
    operator.refusal = NodeLostError("node 'pi-01' is not up [/x]")
    async with node_screen(operator) as pilot:
        await pilot.press("R", "y")
        await until(pilot, lambda: toasts(pilot))
        assert toasts(pilot) == ["restart pi-01: failed: node 'pi-01' is not up [/x]"]
        await until(pilot, text(pilot)("restart pi-01: failed: node 'pi-01' is not up [/x]"))


async def test_a_question_says_how_old_its_figures_are() -> None:
    async with node_screen(ScriptedOperator()) as pilot:
        await at(pilot, 1_042.0)
        await pilot.press("d")
        await until(pilot, text(pilot)("That was so 42 s ago."))


async def test_a_drain_waits_until_nothing_runs_and_says_how_far_it_is() -> None:
    operator = ScriptedOperator()
    busy = node(NAME, state=NodeState.CORDONED, cordoned=True, slots_busy=2)
    idle = replace(busy, vitals=node(slots_busy=0).vitals, inflight_batches=0)
    async with node_screen(operator) as pilot:
        await pilot.press("d", "y")
        await until(pilot, lambda: operator.told == [("cordon", NAME)])
        await tell(pilot, farm(busy, at_s=1))
        await until(pilot, text(pilot)(f"drain {NAME}: 2 batches in flight"))
        await pilot.press("escape")
        await tell(pilot, farm(idle, at_s=2))
        await until(pilot, lambda: _progress(pilot) == "waiting for its next heartbeat")
        await tell(pilot, farm(idle, at_s=4))
        await until(pilot, lambda: toasts(pilot))
        assert toasts(pilot) == [
            f"drain {NAME}: done: nothing runs there; it stays cordoned until you uncordon it"
        ]


async def test_an_errand_outlives_its_screen() -> None:
    operator = ScriptedOperator()
    operator.leave.clear()
    async with node_screen(operator) as pilot:
        await pilot.press("R", "y")
        await until(pilot, lambda: operator.told)
        await pilot.press("escape")
        operator.leave.set()
        await until(pilot, lambda: toasts(pilot))
        top = pilot.app
        assert isinstance(top, StillTop)
        top.open_node(NAME)
        await pilot.pause()
        await until(pilot, text(pilot)(f"restart {NAME}: done: a new process is up"))


def _progress(pilot: Pilot[None]) -> str:
    top = pilot.app
    assert isinstance(top, StillTop)
    errand = top.errands.latest(("node", NAME))
    return errand.text if errand is not None else ""
