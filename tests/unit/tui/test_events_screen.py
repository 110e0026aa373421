"""The events screen: it follows, stands still, searches, and keeps up."""

import pytest
from farm_events import event, many
from farm_readings import BEGINS, SECOND
from screen_text import screen_lines, screen_text
from still_top import StillTop, tell, until

from farm.core.events import EventKind, Severity
from tui.readings.quantities import day_and_time
from tui.screens.events import EventsScreen
from tui.sources.source import EventsCame, Jumped, Update
from tui.widgets.event_list import EventList


def top(*updates: Update) -> StillTop:
    return StillTop(*updates)


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (200, 60)])
async def test_the_newest_is_last(size: tuple[int, int]) -> None:
    app = top(EventsCame(events=many(100)))
    async with app.run_test(size=size) as pilot:
        app.open_events()
        await until(pilot, lambda: "100 events, followed" in screen_text(app))
        rows = [line for line in screen_lines(app) if "pi-" in line and ":" in line]
        assert any("pi-00" in row for row in rows[-3:])
        await tell(pilot, EventsCame(events=[event(101, subject="newest")]))
        await until(pilot, lambda: "newest" in screen_text(app))


async def test_it_stands_still_while_one_looks_back() -> None:
    app = top(EventsCame(events=many(100)))
    async with app.run_test(size=(100, 24)) as pilot:
        app.open_events()
        await pilot.press("up")
        await until(pilot, lambda: "standing still" in screen_text(app))
        chosen = app.screen.query_one(EventList).chosen
        before = screen_lines(app)[1:12]
        # So many that the oldest are forgotten.
        await tell(pilot, EventsCame(events=many(9_950, first=101)))
        assert app.screen.query_one(EventList).chosen is chosen
        assert screen_lines(app)[1:12] == before
        await pilot.press("f")
        await until(pilot, lambda: "followed" in screen_text(app))
        assert app.screen.query_one(EventList).chosen is app.store.events[-1]


async def test_what_is_searched_for_is_found_and_the_rest_comes_back() -> None:
    app = top(EventsCame(events=many(100)))
    async with app.run_test(size=(100, 24)) as pilot:
        app.open_events()
        await pilot.press("slash", *"severity:error")
        await until(pilot, lambda: "100 events, 33 of them match" in screen_text(app))
        assert "warning" not in "\n".join(screen_lines(app)[1:18])
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.focused, EventList))
        await tell(pilot, EventsCame(events=[event(101, severity=Severity.ERROR)]))
        await until(pilot, lambda: "101 events, 34 of them match" in screen_text(app))
        await pilot.press("slash", "escape")
        await until(pilot, lambda: "of them match" not in screen_text(app))


async def test_nothing_found_is_told() -> None:
    app = top(EventsCame(events=many(3)))
    async with app.run_test(size=(80, 24)) as pilot:
        app.open_events()
        await pilot.press("slash", *"zebra")
        await until(pilot, lambda: "no event matches the filter" in screen_text(app))


async def test_a_storm_is_counted_where_it_cannot_be_told() -> None:
    app = top()
    async with app.run_test(size=(80, 24)) as pilot:
        app.open_events()
        await until(pilot, lambda: "nothing has happened yet" in screen_text(app))
        await tell(pilot, EventsCame(events=many(10_000)), EventsCame(events=many(10_000, 10_001)))
        await until(pilot, lambda: "10k events, followed  10k missed" in screen_text(app))


async def test_a_recording_that_is_wound_back_forgets_what_is_to_come() -> None:
    app = top(EventsCame(events=many(50)))
    async with app.run_test(size=(80, 24)) as pilot:
        app.open_events()
        await pilot.press("up")
        await tell(pilot, Jumped(), EventsCame(events=many(5)))
        await until(pilot, lambda: "5 events" in screen_text(app))
        assert isinstance(app.screen, EventsScreen)


async def test_all_of_the_event_under_the_cursor_is_shown_and_none_of_it_is_markup() -> None:
    told = event(
        kind=EventKind.METER_LOST,
        detail="[bold]the plug[/] " + "does not answer " * 5 + "\x1b[31mend",
    )
    app = top(EventsCame(events=[told]))
    async with app.run_test(size=(80, 24)) as pilot:
        app.open_events()
        await until(pilot, lambda: r"\x1b[31mend" in screen_text(app))
        assert "[bold]the plug[/]" in screen_text(app)
        assert "\x1b" not in screen_text(app)


@pytest.mark.parametrize("days", [0, 1])
async def test_events_have_their_day_where_they_are_not_of_today(days: int) -> None:
    app = top(EventsCame(events=many(30)))
    app.at_unix_ns = BEGINS + days * 86_400 * SECOND
    async with app.run_test(size=(80, 24)) as pilot:
        app.open_events()
        await until(pilot, lambda: day_and_time(BEGINS + 30 * SECOND)[6:] in screen_text(app))
        with_day = [day_and_time(BEGINS)[:6] in line for line in screen_lines(app)[1:16]]
        assert with_day == [bool(days)] * 15
