"""The models at a glance, and one in depth."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from farm_readings import BEGINS, model, node, snapshot
from screen_text import screen_lines, screen_text
from scripted_operator import ScriptedOperator
from still_top import StillTop, tell, until
from textual.pilot import Pilot

from farm.core.errors import ModelNotFoundError
from farm.core.models import ModelState
from farm.pb import farm_admin_pb2 as pb
from tui.options import TopOptions
from tui.screens.model import ModelScreen
from tui.sources.source import LinkChanged, LinkState, SnapshotCame

UP = LinkChanged(state=LinkState.UP)
NODES = (node("pi-01"), node("pi-02"))
MODELS = (
    model(ready_nodes=("pi-01", "pi-02")),
    model("big", state=ModelState.UNAVAILABLE, reason="no node can hold it [/b]", ready_nodes=()),
    model("ab-10", queued=3, failures=2),
    model("ab-2"),
)


def farm(at_s: float = 0.0, *, models: tuple[object, ...] = MODELS) -> SnapshotCame:
    return SnapshotCame(snapshot=snapshot(at_s, nodes=NODES, models=models))  # type: ignore[arg-type]


def description() -> pb.ModelDescription:
    """Version 1 of digits: ready on a Pi 5 that measured two splits, too large for a Zero."""
    fast = pb.NodeReadiness(
        node_id="pi-01",
        board="Pi 5",
        cpu_class="cortex-a76",
        ready=True,
        correction=1.25,
        measured_on="pi-01",
        measured_unix_ns=BEGINS,
    )
    for slots, threads, row_s in ((4, 1, 0.002), (2, 2, 0.0005)):
        fast.splits.add(
            slots=slots,
            threads=threads,
            chosen=slots == 2,
            curve=[pb.CurvePoint(rows=rows, seconds=rows * row_s) for rows in (1, 8)],
        )
    alike = pb.NodeReadiness()
    alike.CopyFrom(fast)
    alike.node_id, alike.correction = "pi-02", 1.5
    described = pb.ModelDescription(
        snapshot=pb.ModelSnapshot(name="digits", version=1, digest="0123456789abcdef"),
        abi="1.2",
        goldens_checked=3,
        nodes=[
            fast,
            alike,
            pb.NodeReadiness(node_id="pi-03", board="Zero 2 W", reason="needs 600 MiB\x1b[2J"),
        ],
    )
    described.inputs.add(name="pixels", datatype="FP32", shape=[-1, 64])
    return described


@asynccontextmanager
async def screen(
    name: str = "",
    *,
    operator: ScriptedOperator | None = None,
    size: tuple[int, int] = (80, 24),
    options: TopOptions = TopOptions(),  # noqa: B008
) -> AsyncIterator[Pilot[None]]:
    """A model's screen, or without a name that of all models."""
    top = StillTop(UP, farm(), operator=operator, options=options)
    async with top.run_test(size=size) as pilot:
        if name:
            top.open_model(name)
        else:
            top.open_models()
        await pilot.pause()
        await tell(pilot)
        yield pilot


def words(pilot: Pilot[None]) -> str:
    return " ".join(screen_text(pilot.app).split())


def names(pilot: Pilot[None]) -> list[str]:
    """Return the first word of every row, in order."""
    known = {each.key.name for each in MODELS}
    rows = [line.split() for line in screen_lines(pilot.app)]
    return [row[0] for row in rows if row and row[0] in known]


def toasts(pilot: Pilot[None]) -> list[str]:
    return [toast.message for toast in pilot.app._notifications]


async def test_models_are_sorted_as_people_do_and_by_any_column() -> None:
    async with screen() as pilot:
        assert names(pilot) == ["ab-2", "ab-10", "big", "digits"]
        await pilot.press("S")
        assert names(pilot) == ["digits", "big", "ab-10", "ab-2"]
        for _ in range(3):
            await pilot.press("s")
        assert "by nodes" in words(pilot)
        assert names(pilot)[0] == "big"
        assert names(pilot)[-1] == "digits"


async def test_only_what_is_wanted_is_shown() -> None:
    async with screen() as pilot:
        await pilot.press("/", *"model:ab !ab-10")
        assert names(pilot) == ["ab-2"]
        assert "1 of 4" in words(pilot)
        await pilot.press("escape")
        assert len(names(pilot)) == 4
        await pilot.press("/", *"state:unavail why:hold", "enter", "enter")
        await pilot.pause()
        assert isinstance(pilot.app.screen, ModelScreen)
        assert pilot.app.screen.model_name == "big"


async def test_a_row_tells_state_readiness_and_why() -> None:
    async with screen(size=(200, 60)) as pilot:
        row = next(line for line in screen_lines(pilot.app) if line.startswith(" big"))
        assert "✗ unavailable" in row
        assert "0/2" in row
        assert "no node can hold it [/b]" in row
        assert "4 versions of models" in words(pilot)


async def test_a_reason_that_its_row_has_no_room_for_is_below_the_table() -> None:
    async with screen(size=(40, 12)) as pilot:
        assert "no node" not in words(pilot)
        await pilot.press("down", "down")
        await until(pilot, lambda: "big:1: no node can hold it [/b]" in words(pilot))


async def test_rows_follow_the_farm_and_the_cursor_its_version() -> None:
    async with screen(size=(200, 60)) as pilot:
        await pilot.press("down", "down")
        busy = replace(MODELS[1], queued_requests=77)
        await tell(pilot, farm(1, models=(*MODELS[2:], busy)))
        assert names(pilot) == ["ab-2", "ab-10", "big"]
        assert "77" in next(line for line in screen_lines(pilot.app) if line.startswith(" big"))
        await tell(pilot, farm(2, models=(model("aa"), *MODELS)))
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(pilot.app.screen, ModelScreen)
        assert pilot.app.screen.model_name == "big"


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (200, 60)])
async def test_both_screens_at_any_size(size: tuple[int, int]) -> None:
    async with screen(size=size) as pilot:
        assert names(pilot)[0] == "ab-2"
    operator = ScriptedOperator()
    operator.versions = [description()]
    async with screen("digits", operator=operator, size=size) as pilot:
        assert screen_lines(pilot.app)[0] == "digits 1 version"
        assert "version 1 ● ready" in words(pilot)


async def test_without_any_model_or_sample_the_screens_say_so() -> None:
    async with StillTop(UP).run_test() as pilot:
        assert isinstance(pilot.app, StillTop)
        pilot.app.open_models()
        await pilot.pause()
        assert "waiting for the first sample" in words(pilot)
        await tell(pilot, farm(models=()))
        assert "0 versions of models" in words(pilot)
        pilot.app.open_model("gone")
        await pilot.pause()
        assert "gone the farm has no such model" in words(pilot)


async def test_a_model_in_depth() -> None:
    operator = ScriptedOperator()
    operator.versions = [description()]
    async with screen("digits", operator=operator) as pilot:
        await until(pilot, lambda: "digest 0123456789ab" in words(pilot))
        assert "ready on 2 of 2 nodes" in words(pilot)
        assert "in pixels FP32 [any, 64]" in words(pilot)
        await pilot.press("tab")
        await until(pilot, lambda: "pi-01 ready Pi 5 cortex-a76" in words(pilot))
        assert "pi-03 not ready Zero 2 W needs 600 MiB\\x1b[2J" in words(pilot)
        await pilot.press("tab")
        told = words(pilot)
        assert "Pi 5 cortex-a76 · pi-01, pi-02 · batches really take 1.25 to 1.50 times" in told
        assert "4 at once on 1 thread each, 2.0k rows/s at best rows" in told
        assert "2 at once on 2 threads each, 4.0k rows/s at best, chosen" in told
        assert "8 4.0 ms 2.0k" in told


async def test_a_recording_tells_no_curves() -> None:
    async with screen("digits") as pilot:
        await pilot.press("tab")
        await until(pilot, lambda: "does not hold this" in words(pilot))
        await pilot.press("L")
        assert "nothing can be done" in toasts(pilot)[-1]


async def test_a_load_is_confirmed_and_says_how_far_it_is() -> None:
    operator = ScriptedOperator()
    operator.leave.clear()
    async with screen("ab-10", operator=operator) as pilot:
        await pilot.press("L")
        await pilot.pause()
        assert "Load ab-10?" in words(pilot)
        await pilot.press("y")
        await until(pilot, lambda: operator.told == [("load", "ab-10")])
        loading = replace(MODELS[2], reason="a load is under way: 1 of 2 nodes")
        await tell(pilot, farm(1, models=(loading,)))
        await until(pilot, lambda: "load ab-10: a load is under way: 1 of 2 nodes" in words(pilot))
        operator.leave.set()
        await until(pilot, lambda: toasts(pilot) == ["load ab-10: done: it is served"])


async def test_an_unload_names_what_it_ends_and_tells_a_failure() -> None:
    operator = ScriptedOperator()
    operator.refusal = ModelNotFoundError("there is no model 'ab-10'")
    async with screen("ab-10", operator=operator) as pilot:
        await pilot.press("U")
        await pilot.pause()
        assert "3 requests in" in words(pilot)
        await pilot.press("y")
        await until(pilot, lambda: "failed: there is no model 'ab-10'" in words(pilot))
        assert toasts(pilot) == ["unload ab-10: failed: there is no model 'ab-10'"]


async def test_nothing_is_loaded_in_read_only_mode() -> None:
    operator = ScriptedOperator()
    async with screen("digits", operator=operator, options=TopOptions(read_only=True)) as pilot:
        await pilot.press("L", "U")
        assert len(toasts(pilot)) == 2
        assert not operator.told
