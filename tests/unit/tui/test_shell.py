"""What all screens share: the status bar, themes, keys, help, palette, read-only."""

import pytest
from farm_readings import SECOND, node, snapshot
from screen_text import screen_lines, screen_text
from still_top import QuietSource, StillTop, at, tell, until
from textual.color import Color
from textual.theme import Theme

from farm.client import AdminClient
from tui.options import TopOptions
from tui.sources.connection import Connection
from tui.sources.gateway_operator import GatewayOperator
from tui.sources.source import LinkChanged, LinkState, Playhead, SnapshotCame
from tui.theme import THEMES

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
        assert ": ctrl+p           commands" in told
        assert "^d                 drain" in told or "ctrl+d             drain" in told
        await pilot.press("escape")
        await pilot.press("f9")
        assert app.theme == "farm-light"
        await pilot.press("t")
        assert app.theme == "farm-light"


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

        def seek(self, unix_ns: int) -> None:
            self.done.append(unix_ns)

    playhead = Playhead(
        at_unix_ns=100 * SECOND, begins_unix_ns=0, ends_unix_ns=0, speed=2.0, paused=False
    )
    source = Recording()
    app = StillTop(playhead, source=source)
    async with app.run_test() as pilot:
        await pilot.press("space", "[", "]", "left", "right")
    assert source.done == ["pause", "slower", "faster", 80 * SECOND, 120 * SECOND]
