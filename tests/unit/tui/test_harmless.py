"""Whatever a farm says, nothing of it steers the terminal or is taken for markup."""

import unicodedata
from dataclasses import replace

import pytest
from farm_events import event
from farm_readings import model, node, snapshot
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from screen_text import screen_lines, screen_text
from scripted_operator import DETAILS, DIGITS, ScriptedOperator
from still_top import StillTop, until
from textual.widgets import Static

from farm.core.errors import FarmError
from farm.core.node_details import ModelOnNode
from tui.harmless import harmless
from tui.options import TopOptions
from tui.sources.source import EventsCame, LinkChanged, LinkState, SnapshotCame
from tui.widgets.confirm import Confirm

# An escape sequence, its C1 form, a bell, a line, the direction of writing, half a character,
# and Textual's markup.
ODD = "o\x1b]0;t\x07\x9b31m\r\n\t\u202edd\ud800[red][/][@click=app.quit]x[/]"


@pytest.fixture
def app() -> StillTop:
    operator = ScriptedOperator()
    operator.refusal = FarmError(ODD)
    operator.log_texts = [ODD]
    failure = replace(DETAILS.failures[0], message=ODD, code=ODD)
    unready = ModelOnNode(model=replace(DIGITS, name=ODD), ready=False, reason=ODD)
    operator.details = replace(DETAILS, failures=(failure,), models=(unready,))
    farm = replace(
        snapshot(
            nodes=(node(ODD, reason=ODD, meter_fault=ODD), node("pi-02")),
            models=(model(ODD, reason=ODD),),
        ),
        farm_name=ODD,
    )
    return StillTop(
        LinkChanged(state=LinkState.UP, detail=ODD),
        SnapshotCame(snapshot=farm),
        EventsCame(events=[event(kind=ODD, subject=ODD, detail=ODD)]),
        operator=operator,  # type: ignore[arg-type]
    )


def steering(app: StillTop) -> list[str]:
    """Return the lines that hold more than can be printed."""
    return [line for line in screen_lines(app) if not line.isprintable()]


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
async def test_no_view_is_steered(app: StillTop, size: tuple[int, int]) -> None:
    async with app.run_test(size=size) as pilot:
        for key in "1234?":
            await pilot.press(key)
            await pilot.pause()
            assert steering(app) == []


@pytest.mark.parametrize("size", [(119, 24), (200, 60)])
async def test_no_detail_is_steered(app: StillTop, size: tuple[int, int]) -> None:
    async with app.run_test(size=size) as pilot:
        app.open_node(ODD)
        for said in ("load", "Batches in flight", "not ready", "info o"):
            await until(pilot, lambda said=said: said in screen_text(app))  # type: ignore[misc]
            assert steering(app) == []
            await pilot.press("tab")
        app.open_model(ODD)
        await until(pilot, lambda: "1 version" in screen_text(app))
        assert steering(app) == []


async def test_no_question_and_no_outcome_is_steered(app: StillTop) -> None:
    async with app.run_test(size=(80, 40), notifications=True) as pilot:
        app.open_node(ODD)
        await pilot.pause()
        await pilot.press("o")
        await until(pilot, lambda: isinstance(app.screen, Confirm))
        await until(pilot, lambda: "Cordon" in screen_text(app))
        assert "Cordon o\\x1b]0;t\\x07" in str(app.screen.query(Static).first().content)
        assert "[red][/][@click=app.quit]x[/]" in screen_text(app).replace("\n", "")
        assert steering(app) == []
        await pilot.press("y")
        await until(pilot, lambda: "failed" in screen_text(app))
        assert steering(app) == []


async def test_the_palette_is_not_steered(app: StillTop) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(":", *"open node o")
        await until(pilot, lambda: "o\\x1b]0;t" in screen_text(app))
        assert steering(app) == []


async def test_what_screens_let_through_the_last_door_does_not() -> None:
    app = StillTop()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        app.notify(ODD, markup=False)
        await until(pilot, lambda: "[red]" in screen_text(app))
        assert steering(app) == []


async def test_in_ascii_too() -> None:
    app = StillTop(options=TopOptions(ascii_only=True))
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        app.notify(ODD, markup=False)
        await until(pilot, lambda: "[red]" in screen_text(app))
        assert steering(app) == []


@settings(deadline=None)
@given(st.text())
def test_any_text_is_harmless_and_as_wide_as_before(text: str) -> None:
    shown = harmless(text)
    assert {unicodedata.category(c) for c in shown if c != "\u200d"} & {"Cc", "Cf", "Cs"} == set()
    assert cell_len(shown) == cell_len(text)
    assert harmless(shown) == shown
