"""The last line of every screen."""

from typing import Any, Final, cast

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.style import Style
from textual.widgets import Static

from farm.core.text import printable
from tui.readings.quantities import age, moment
from tui.sources.source import LinkState, Playhead
from tui.store import Store
from tui.top import Top

_STYLES: Final = {
    LinkState.CONNECTING: "$warning",
    LinkState.UP: "$success",
    LinkState.DOWN: "$error bold",
    LinkState.ENDED: "$warning",
}
_MUTED: Final = "$text-muted"
# Below so many lines the farm needs them more than words about the link do.
_LOW: Final = 18
# Characters of what is to be said of the link.
_LONGEST: Final = 500


class StatusBar(Vertical):
    """Whether what is shown is true now: link, age, where a recording is; and some keys.

    What is to be said of the link stands above, only while there is something.
    """

    def __init__(self) -> None:
        super().__init__()
        self._keys: tuple[int, Content] | None = None
        # What is painted: nothing is painted again for nothing.
        self._line = Content()
        self._detail = ""
        self._defect = ""

    def compose(self) -> ComposeResult:
        yield Static(id="link-detail")
        yield Static(id="status")

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._bindings_changed)

    def _bindings_changed(self, _: Any) -> None:
        self._keys = None
        top = cast(Top, self.app)
        top.catch_up()
        self.show(top.store, top.now(), self._defect)

    def show(self, store: Store, now: float, defect: str) -> None:
        """Show how things are at a moment, and why what is above may not be so."""
        self._defect = defect
        status = self._status(store, now)
        room = max(self.screen.size.width - status.cell_length - 2, 0)
        keys = self._hints(room)
        line = Content.assemble(status, " " * (room - keys.cell_length), keys)
        if not line.is_same(self._line):
            self._line = line
            self.query_one("#status", Static).update(line, layout=False)
        told = defect or store.link.detail
        if told != self._detail:
            self._detail = told
            detail = self.query_one("#link-detail", Static)
            detail.update(Content(printable(self._detail, _LONGEST)))
            detail.display = bool(self._detail)
        self.set_class(self.screen.size.height < _LOW, "low")

    def _status(self, store: Store, now: float) -> Content:
        top, link = cast(Top, self.app), store.link
        mark = top.glyphs.links[link.state]
        parts = [Content.styled(f" {mark} {link.state}", _STYLES[link.state])]
        if store.stale(now):
            parts.append(Content.styled(f"  stale: {age(store.age_s(now))} old", "$warning bold"))
        if top.options.read_only:
            parts.append(Content("  read-only"))
        parts.append(Content.styled(f"  {printable(top.source.title)}", _MUTED))
        if store.playhead is not None:
            parts.append(Content(f"  {_played(store.playhead, top.unix_ns())}"))
        return Content.assemble(*parts)

    def _hints(self, room: int) -> Content:
        """Return as many keys as there is room for."""
        if self._keys is None or self._keys[0] != room:
            self._keys = room, self._fitting(room)
        return self._keys[1]

    def _fitting(self, room: int) -> Content:
        shown: dict[str, Content] = {}
        bindings = self.screen.active_bindings.values()
        # Whoever knows no other key must find the help.
        for active in sorted(bindings, key=lambda active: active.binding.id != "help"):
            binding = active.binding
            if not binding.show or not active.enabled or binding.action in shown:
                continue
            key = self.app.get_key_display(binding)
            click = Style.from_meta({"@click": f"app.simulate_key('{binding.key}')"})
            hint = Content.assemble((key, "bold $primary"), (f" {binding.description}", _MUTED))
            hint = Content.assemble(hint.stylize(click), "  ")
            room -= hint.cell_length
            if room < 0:
                break
            shown[binding.action] = hint
        return Content.assemble(*shown.values())


def _played(playhead: Playhead, now_unix_ns: int) -> str:
    how = "paused" if playhead.paused else f"at {playhead.speed:g}x"
    ends = playhead.ends_unix_ns
    told = f"{moment(playhead.at_unix_ns, now_unix_ns)} {how}"
    return told if ends is None else f"{told}, ends {moment(ends, playhead.at_unix_ns)}"
