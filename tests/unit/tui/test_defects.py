"""What goes wrong in the screen itself: it says so, goes on, and tells more after its end."""

from collections.abc import Callable
from threading import Event
from typing import Any

import pytest
from farm_events import many
from farm_readings import node, snapshot
from screen_text import screen_lines, screen_text
from still_top import QuietSource, StillTop, tell, until

from farm.core.snapshots import FarmSnapshot
from tui.defects import Defects
from tui.export import Exported
from tui.readings.reading import Reader, Reading
from tui.screens.overview import Overview
from tui.sources.source import EventsCame, LinkChanged, LinkState, SnapshotCame, Update
from tui.widgets.event_list import EventList
from tui.widgets.head_line import HeadLine
from tui.widgets.node_table import NodeTable

UP = LinkChanged(state=LinkState.UP)
CAME = SnapshotCame(snapshot=snapshot(nodes=(node(),)))


class UnforeseenError(Exception):
    """What a defect raises."""


def fail(*_: Any, **__: Any) -> Any:
    raise UnforeseenError("[b]odd\x1b[31m")


class FailingSource(QuietSource):
    def follow(self, tell: Callable[[Update], None], stop: Event) -> None:
        fail()


def top() -> StillTop:
    app = StillTop(UP, CAME, EventsCame(events=many(3)))
    app.defects = Defects()
    return app


async def test_a_screen_that_cannot_be_shown_says_so_and_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = top()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        with monkeypatch.context() as broken:
            broken.setattr(Overview, "show", fail)
            await tell(pilot, CAME)
            told = "this screen stays as it was: UnforeseenError: [b]odd\\x1b[31m"
            assert told in screen_lines(app)[-2]
            assert app.screen.has_class("stale")
            await pilot.press("4")
            await until(pilot, lambda: "3 events" in screen_text(app))
            assert "stays as it was" not in screen_text(app)
        await pilot.press("1")
        await until(pilot, lambda: "pi-01" in screen_text(app))
        assert not app.screen.has_class("stale")
    report = app.defects.report()
    assert report.startswith("farm: the screen had a defect")
    assert report.count("Traceback") == 1
    assert "\x1b" not in report


@pytest.mark.parametrize(("widget", "key"), [(NodeTable, "1"), (EventList, "4"), (HeadLine, "1")])
async def test_a_part_that_cannot_be_painted_says_so_in_its_place(
    widget: type[Any], key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = top()
    async with app.run_test(size=(80, 24)) as pilot:
        monkeypatch.setattr(widget, "render_line", fail)
        await pilot.press(key)
        app.refresh_css()
        await until(pilot, lambda: "cannot be painted: UnforeseenError: [b]odd" in screen_text(app))
        assert "up  gateway" in screen_lines(app)[-1]
    assert "Traceback" in app.defects.report()


async def test_a_key_whose_work_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    app = top()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        monkeypatch.setattr(NodeTable, "sort_reverse", fail)
        await pilot.press("S")
        await until(pilot, lambda: "[b]odd\\x1b[31m" in screen_text(app))
        await pilot.press("4")
        await until(pilot, lambda: "3 events" in screen_text(app))


async def test_what_came_and_cannot_be_read_is_told_until_something_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = top()
    read = Reader.read

    def some(reader: Reader, given: FarmSnapshot) -> Reading:
        return fail() if given is odd else read(reader, given)

    odd = snapshot(1.0)
    monkeypatch.setattr(Reader, "read", some)
    async with app.run_test(size=(80, 24)) as pilot:
        await tell(pilot, SnapshotCame(snapshot=odd))
        assert "what came last cannot be read: UnforeseenError" in screen_lines(app)[-2]
        assert app.screen.has_class("stale")
        await tell(pilot, CAME)
        assert "cannot be read" not in screen_text(app)
        assert not app.screen.has_class("stale")


async def test_an_export_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Exported, "text", fail)
    app = top()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press("e", "j")
        await until(pilot, lambda: "[b]odd\\x1b[31m" in screen_text(app))
    assert "Traceback" in app.defects.report()


async def test_a_source_that_fails_is_a_link_that_is_down() -> None:
    app = top()
    app.source = FailingSource()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "start farm top anew: Unforeseen" in screen_lines(app)[-2])
        assert "down" in screen_lines(app)[-1]


def test_a_defect_that_comes_again_and_again_is_told_once_and_many_are_not_kept() -> None:
    defects = Defects()
    assert defects.report() == ""
    for number in range(1_000):
        try:
            raise UnforeseenError(str(number // 2))
        except UnforeseenError as error:
            defects.note(error)
    assert defects.report().count("Traceback") == 20
