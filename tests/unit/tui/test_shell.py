"""What all screens share: the status bar, themes, keys, help, palette, read-only."""

import pytest
from farm_readings import SECOND, model, node, snapshot
from screen_text import screen_lines, screen_text
from scripted_operator import ScriptedOperator
from still_top import QuietSource, StillTop, at, tell, until
from textual import events
from textual.color import Color
from textual.keys import key_to_character
from textual.theme import Theme

from farm.client import AdminClient
from tui.options import TopOptions
from tui.sources.connection import Connection
from tui.sources.gateway_operator import GatewayOperator
from tui.sources.source import LinkChanged, LinkState, Playhead, SnapshotCame
from tui.theme import THEMES
from tui.widgets.model_table import ModelTable

UP = LinkChanged(state=LinkState.UP)
CAME = SnapshotCame(snapshot=snapshot(nodes=(node(),)))


def status(app: StillTop) -> str:
    return screen_lines(app)[-1]


async def test_before_anything_came_it_says_that_it_connects() -> None:
    app = StillTop()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "connecting  gateway pi-head:8001" in status(app)
        assert "? help" in status(app)


async def test_a_link_that_is_down_says_why_and_greys_what_is_old() -> None:
    app = StillTop(UP, CAME)
    async with app.run_test(size=(80, 24)) as pilot:
        await tell(pilot, UP)
        assert "● up" in status(app)
        assert "stale" not in screen_text(app)
        await tell(pilot, LinkChanged(state=LinkState.DOWN, detail="no answer; next try in 2 s"))
        await at(pilot, app.at_s + 12)
        assert "✗ down" in status(app)
        assert "stale: 12 s old" in status(app)
        assert "no answer; next try in 2 s" in screen_lines(app)[-2]
        assert app.screen.has_class("stale")
        await tell(pilot, UP, CAME)
        assert "stale" not in screen_text(app)
        assert not app.screen.has_class("stale")


async def test_snapshots_that_stay_out_are_stale_though_the_link_is_up() -> None:
    app = StillTop(UP, CAME)
    async with app.run_test(size=(80, 24)) as pilot:
        await at(pilot, app.at_s + 3)
        assert "stale" not in status(app)
        await at(pilot, app.at_s + 1)
        assert "stale: 4 s old" in status(app)


async def test_a_snapshot_is_as_old_as_when_it_came_however_rare_frames_are() -> None:
    app = StillTop(UP, CAME, options=TopOptions(frames_per_s=0.2))
    async with app.run_test(size=(80, 24)) as pilot:
        app._hear(CAME)
        await at(pilot, app.at_s + 4)
        assert "stale: 4 s old" in status(app)


async def test_what_came_since_the_last_frame_is_shown_when_another_screen_is() -> None:
    app = StillTop(UP, CAME, options=TopOptions(frames_per_s=0.2))
    async with app.run_test(size=(80, 24)) as pilot:
        await tell(pilot, CAME)
        app.at_s += 4
        app._hear(CAME)
        await pilot.press("2")
        await until(pilot, lambda: "models" in screen_lines(app)[0])
        assert "stale" not in status(app)


async def test_a_frame_without_news_paints_nothing() -> None:
    app = StillTop(UP, CAME)
    shown = []
    async with app.run_test(size=(80, 24)) as pilot:
        app.updated.subscribe(app.screen, shown.append, immediate=True)
        await tell(pilot, CAME)
        assert len(shown) == 1
        await tell(pilot)
        assert len(shown) == 1
        await at(pilot, app.at_s + 1)
        assert len(shown) == 2


async def test_a_recording_tells_where_it_is() -> None:
    playhead = Playhead(
        at_unix_ns=0, begins_unix_ns=0, ends_unix_ns=60_000_000_000, speed=4.0, paused=False
    )
    app = StillTop(UP, playhead, CAME)
    async with app.run_test(size=(100, 24)) as pilot:
        await tell(pilot, UP)
        assert "at 4x, ends" in status(app)


@pytest.mark.parametrize("size", [(40, 12), (20, 5), (200, 60)])
async def test_every_size_is_painted(size: tuple[int, int]) -> None:
    app = StillTop(LinkChanged(state=LinkState.DOWN, detail="why " * 40), CAME)
    async with app.run_test(size=size) as pilot:
        await at(pilot, app.at_s + 100)
        assert "✗ down" in screen_text(app)


async def test_words_of_the_farm_are_never_markup() -> None:
    app = StillTop(LinkChanged(state=LinkState.DOWN, detail="[red]no[/] [@click=quit]"), CAME)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "[red]no[/] [@click=quit]" in screen_text(app)


async def test_t_changes_between_dark_and_light() -> None:
    app = StillTop(UP, CAME)
    async with app.run_test() as pilot:
        assert app.current_theme.dark
        await pilot.press("t")
        assert not app.current_theme.dark
        await pilot.press("t")
        assert app.theme == "farm-dark"


async def test_without_colour_no_cell_has_one() -> None:
    app = StillTop(UP, CAME, options=TopOptions(no_color=True))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("t")
        await pilot.pause()
        strips = app.screen._compositor.render_strips()
        styles = [segment.style for strip in strips for segment in strip if segment.style]
        colours = {colour for style in styles for colour in (style.color, style.bgcolor) if colour}
        assert all(colour.is_default for colour in colours)


async def test_in_ascii_nothing_else_is_painted() -> None:
    app = StillTop(UP, CAME, options=TopOptions(ascii_only=True))
    async with app.run_test(size=(80, 90)) as pilot:
        await pilot.press("?")
        await pilot.pause()
        assert "+- farm top -" in screen_text(app)
        assert "o                  ready" in screen_text(app)
        assert screen_text(app).isascii()


def luminance(colour: Color) -> float:
    """WCAG 2.2's relative luminance."""
    parts = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in colour.normalized
    ]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


@pytest.mark.parametrize("theme", THEMES[:2], ids=lambda theme: theme.name)
@pytest.mark.parametrize("role", ["success", "warning", "error", "text-muted", "foreground"])
@pytest.mark.parametrize("ground", ["background", "surface", "panel"])
def test_colours_can_be_read_as_text(theme: Theme, role: str, ground: str) -> None:
    colours = theme.to_color_system().generate()
    one, other = sorted(luminance(Color.parse(colours[name])) for name in (role, ground))
    assert (other + 0.05) / (one + 0.05) >= 4.5


async def test_help_tells_the_keys_that_are_in_force() -> None:
    app = StillTop(UP, CAME, options=TopOptions(keys={"theme": "f9", "drain": "ctrl+d"}))
    async with app.run_test(size=(80, 60)) as pilot:
        await pilot.press("?")
        await pilot.pause()
        told = screen_text(app)
        assert "f9                 light or dark" in told
        assert told.index("light or dark") < told.index("page down")
        assert ": ctrl+p           commands" in told
        assert "^d                 drain" in told or "ctrl+d             drain" in told
        await pilot.press("escape")
        await pilot.press("f9")
        assert app.theme == "farm-light"
        await pilot.press("t")
        assert app.theme == "farm-light"


async def test_help_tells_how_filters_are_typed() -> None:
    app = StillTop(UP, CAME)
    async with app.run_test(size=(100, 90)) as pilot:
        await pilot.press("?")
        await pilot.pause()
        told = screen_text(app)
        assert "part>5" in told
        assert "parts of events    kind, severity, subject, detail" in told


async def test_a_key_that_is_told_can_be_clicked() -> None:
    app = StillTop(UP, CAME)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.click("#status", offset=(status(app).index("? help"), 0))
        await until(pilot, lambda: "farm top" in screen_text(app))
        assert len(app.screen_stack) == 2


async def test_q_in_the_help_closes_the_help_alone() -> None:
    app = StillTop(UP, CAME)
    async with app.run_test() as pilot:
        await pilot.press("?")
        await pilot.press("q")
        await pilot.pause()
        assert len(app.screen_stack) == 1
        assert app.is_running


async def test_the_palette_runs_what_is_chosen() -> None:
    app = StillTop(UP, CAME)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(":")
        await pilot.press(*"light or dark")
        await until(pilot, lambda: "light or dark  t" in screen_text(app))
        await pilot.press("enter")
        await pilot.pause()
        assert app.theme == "farm-light"


async def test_the_palette_offers_no_steps_of_the_cursor() -> None:
    app = StillTop(UP, CAME)
    async with app.run_test(size=(80, 50)) as pilot:
        await pilot.press(":")
        await until(pilot, lambda: "sort reversed  S" in screen_text(app))
        assert "page up" not in screen_text(app)


async def test_the_palette_finds_nodes_and_models_by_name() -> None:
    opened: list[str] = []

    class Opening(StillTop):
        def open_node(self, node_id: str) -> None:
            opened.append(node_id)

    app = Opening(UP, SnapshotCame(snapshot=snapshot(nodes=(node("pi-[b]07"),))))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("ctrl+p")
        await pilot.press(*"b]07")
        await until(pilot, lambda: "open node pi-[b]07" in screen_text(app))
        await pilot.press("enter")
        await pilot.pause()
    assert opened == ["pi-[b]07"]


def shown_names(app: StillTop) -> list[str]:
    """What lies on what, the overview first."""
    return [
        getattr(screen, "node_id", None) or getattr(screen, "model_name", None) or "overview"
        for screen in app.screen_stack
    ]


async def test_a_node_takes_the_place_of_the_one_that_was_open() -> None:
    nodes = tuple(map(node, ("pi-01", "pi-02", "pi-03")))
    app = StillTop(UP, SnapshotCame(snapshot=snapshot(nodes=nodes)))
    async with app.run_test(size=(80, 24)) as pilot:
        app.open_node("pi-01")
        await pilot.pause()
        await pilot.press(":", *"open node pi-02")
        await until(pilot, lambda: "open node pi-02" in screen_text(app))
        await pilot.press("enter")
        await until(pilot, lambda: shown_names(app) == ["overview", "pi-02"])
        app.open_model("digits")
        await pilot.pause()
        left = app.screen_stack[1]
        app.open_node("pi-03")
        await pilot.pause()
        assert shown_names(app) == ["overview", "digits", "pi-03"]
        await until(pilot, lambda: not left.is_running)
        app.open_model("other")
        await pilot.pause()
        assert shown_names(app) == ["overview", "pi-03", "other"]
        await pilot.press("escape")
        await until(pilot, lambda: "pi-03" in screen_lines(app)[0])
        await pilot.press("escape")
        await until(pilot, lambda: shown_names(app) == ["overview"])


async def test_a_view_that_lies_below_is_as_it_was_left() -> None:
    models = tuple(map(model, ("a", "b", "c")))
    app = StillTop(UP, SnapshotCame(snapshot=snapshot(models=models)))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("2", "down", "enter")
        await until(pilot, lambda: shown_names(app)[-1] == "b")
        await pilot.press("2")
        await until(pilot, lambda: "3 versions" in screen_text(app))
        assert len(app.screen_stack) == 2
        assert app.screen.query_one(ModelTable).cursor_row == 1


async def test_quitting_asks_while_something_is_under_way() -> None:
    operator = ScriptedOperator()
    operator.leave.clear()
    app = StillTop(UP, CAME, operator=operator)  # type: ignore[arg-type]
    async with app.run_test(size=(80, 24)) as pilot:
        app.open_node("pi-01")
        await pilot.pause()
        await pilot.press("R", "y")
        await until(pilot, lambda: app.errands.running)
        await pilot.press("q")
        await until(
            pilot, lambda: "Quit while this is under way: restart pi-01" in screen_text(app)
        )
        await pilot.press("n")
        await pilot.pause()
        assert app.is_running
        operator.leave.set()
        await until(pilot, lambda: not app.errands.running)
        await pilot.press("q")
        await until(pilot, lambda: not app.is_running)


@pytest.mark.parametrize("key", ["e", "d", "enter", "colon"])
async def test_a_key_that_is_pressed_twice_at_once_opens_one_screen(key: str) -> None:
    app = StillTop(UP, CAME, operator=ScriptedOperator())
    async with app.run_test(size=(80, 24)) as pilot:
        if key == "d":
            app.open_node("pi-01")
        await pilot.pause()
        below = len(app.screen_stack)
        # Both come before the first of them is dealt with.
        for _ in range(2):
            app.post_message(events.Key(key, key_to_character(key)))
        await until(pilot, lambda: len(app.screen_stack) > below)
        await pilot.pause()
        assert len(app.screen_stack) == below + 1


async def test_what_may_not_be_done_is_refused_in_words() -> None:
    assert "nothing can be done to it" in StillTop().refusal
    operator = GatewayOperator(Connection("127.0.0.1:9", AdminClient))
    assert StillTop(operator=operator).refusal == ""
    app = StillTop(operator=operator, options=TopOptions(read_only=True))
    assert "--read-only" in app.refusal
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "read-only" in status(app)


async def test_keys_steer_a_recording() -> None:
    class Recording(QuietSource):
        title = "recording shelf.rec"

        def __init__(self) -> None:
            self.done: list[object] = []

        def pause(self) -> None:
            self.done.append("pause")

        def slower(self) -> None:
            self.done.append("slower")

        def faster(self) -> None:
            self.done.append("faster")

        def skip(self, by_s: float) -> None:
            self.done.append(by_s)

    playhead = Playhead(
        at_unix_ns=100 * SECOND, begins_unix_ns=0, ends_unix_ns=0, speed=2.0, paused=False
    )
    source = Recording()
    app = StillTop(playhead, source=source)
    async with app.run_test() as pilot:
        await pilot.press("space", "[", "]", "left", "right")
    assert source.done == ["pause", "slower", "faster", -20.0, 20.0]
