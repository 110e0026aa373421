"""Parts of a screen: one at a time with tabs where the terminal is small, else all at once."""

from collections.abc import Iterator
from typing import Final

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container, Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

# From this size on, in cells, all panes have room.
_ALL_WIDTH: Final = 120
_ALL_HEIGHT: Final = 30


class Pane(Vertical):
    """One part, with a heading that is shown only beside others."""

    DEFAULT_CSS = """
    Pane {
        display: none;
        & > .heading { display: none; text-style: bold; width: auto; }
    }
    """

    def __init__(self, title: str, *content: Widget, id: str) -> None:
        super().__init__(Static(title, classes="heading", markup=False), *content, id=id)
        self.title = title


class Panes(Container):
    """Panes of which one is chosen: the one that is shown, or has the focus."""

    DEFAULT_CSS = """
    Panes {
        height: 1fr;
        & > .tabs { height: 1; }
        & > .parts { height: 1fr; }
        & Pane.-chosen { display: block; }
        &.-all {
            & > .tabs { display: none; }
            & > .parts { layout: grid; grid-size: 2; grid-gutter: 0 2; }
            & Pane { display: block; }
            & Pane > .heading { display: block; }
            & Pane.-chosen > .heading { text-style: bold reverse; }
        }
    }
    """

    class Shown(Message):
        """Other panes can be seen now."""

    def __init__(self, *panes: Pane, id: str | None = None) -> None:
        super().__init__(id=id)
        self._panes = panes
        self._chosen = panes[0]
        # It has a column of its own, beside all others.
        panes[0].styles.row_span = max(len(panes) - 1, 1)

    def compose(self) -> ComposeResult:
        yield Horizontal(*(PaneTab(pane) for pane in self._panes), classes="tabs")
        yield Container(*self._panes, classes="parts")

    def on_mount(self) -> None:
        self.choose(self._chosen)

    def on_resize(self, event: events.Resize) -> None:
        size = event.size
        self.set_class(size.width >= _ALL_WIDTH and size.height >= _ALL_HEIGHT, "-all")
        self.post_message(self.Shown())

    def choose(self, pane: Pane) -> None:
        """Show a pane, and give it the keys."""
        self._chosen = pane
        for other in self._panes:
            other.set_class(other is pane, "-chosen")
        for tab in self.query(PaneTab):
            tab.show(chosen=tab.pane is pane)
        self.post_message(self.Shown())
        for part in _focusable(pane):
            part.focus()
            break

    def step(self, by: int) -> None:
        """Choose the next pane, or the one before."""
        at = self._panes.index(self._chosen) + by
        self.choose(self._panes[at % len(self._panes)])

    def shows(self, pane: Pane) -> bool:
        """Whether a pane is on the screen."""
        return self.has_class("-all") or pane is self._chosen

    @on(events.DescendantFocus)
    def _follow_focus(self, event: events.DescendantFocus) -> None:
        """Choose the pane that was clicked into."""
        for pane in self._panes:
            if pane is not self._chosen and pane in event.widget.ancestors:
                self.choose(pane)

    def on_pane_tab_pressed(self, message: "PaneTab.Pressed") -> None:
        self.choose(message.pane)


class PaneTab(Static):
    """The title of a pane, in brackets where that is chosen."""

    DEFAULT_CSS = "PaneTab { width: auto; }"

    class Pressed(Message):
        """The tab was clicked."""

        def __init__(self, pane: Pane) -> None:
            super().__init__()
            self.pane = pane

    def __init__(self, pane: Pane) -> None:
        super().__init__(f" {pane.title} ", markup=False)
        self.pane = pane

    def show(self, *, chosen: bool) -> None:
        title = self.pane.title
        self.update(Content.assemble((f"[{title}]", "bold $primary") if chosen else f" {title} "))

    def on_click(self) -> None:
        self.post_message(self.Pressed(self.pane))


def _focusable(pane: Pane) -> Iterator[Widget]:
    return (widget for widget in pane.query("*") if widget.can_focus)
