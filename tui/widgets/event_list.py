"""Events as rows, the newest last: only those in sight are made into text."""

from collections.abc import Sequence
from typing import ClassVar, Final, cast

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from farm.core.events import FarmEvent
from tui.glyphs import Glyphs
from tui.keys import bound
from tui.readings.event_lines import event_line
from tui.readings.quantities import same_day
from tui.top import Top
from tui.widgets.painted import Painted
from tui.widgets.roles import ROLE_CLASSES, role_css

# Before the row: where the cursor is, without a colour.
_MARGIN: Final = 1


class EventList(ScrollView, Painted, can_focus=True):
    """Follows what happens, until an operator goes back to look at something."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"event-list--cursor", *ROLE_CLASSES}
    DEFAULT_CSS = """
    EventList {
        height: 1fr;
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        background: $background;
        color: $foreground;
    }
    EventList > .event-list--cursor {
        background: $block-cursor-background;
        color: $block-cursor-foreground;
        text-style: $block-cursor-text-style;
    }
    """ + role_css("EventList")
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        bound("up", "move(-1)"),
        bound("down", "move(1)"),
        bound("page_up", "page(-1)"),
        bound("page_down", "page(1)"),
        bound("first", "move_to(0)"),
        bound("last", "follow"),
    ]

    class Moved(Message):
        """The cursor is on another event, or follows, or does no more."""

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__()
        self._glyphs = glyphs
        self._rows: Sequence[FarmEvent] = ()
        self._index = 0
        self._following = True
        self._empty = ""
        # Otherwise each has its day, so that they stand below each other.
        self._of_today = True

    @property
    def following(self) -> bool:
        """Whether the newest event is kept in sight."""
        return self._following

    @property
    def chosen(self) -> FarmEvent | None:
        """The event that the cursor is on."""
        return self._rows[self._index] if self._rows else None

    def show(self, rows: Sequence[FarmEvent], *, empty: str) -> None:
        """Show events, the oldest first, or say why there are none.

        The cursor stays on its event; where that is forgotten, on the oldest.
        """
        chosen, before = self.chosen, self._index
        self._rows, self._empty = rows, empty
        now_ns = cast(Top, self.app).unix_ns()
        self._of_today = all(same_day(row.unix_ns, now_ns) for row in (*rows[:1], *rows[-1:]))
        self.virtual_size = Size(1, len(rows))
        if self._following or chosen is None:
            self._index = max(len(rows) - 1, 0)
            self._reveal()
        else:
            # What is in sight stays where it is, wherever the wheel of a mouse has gone.
            self._index = _place(rows, chosen)
            self._scroll(self.scroll_offset.y + self._index - before)
        self.refresh()

    def action_follow(self) -> None:
        """Go to the newest event, and stay with it as more come."""
        self._following = True
        self._index = max(len(self._rows) - 1, 0)
        self._moved()

    def stand_still(self) -> None:
        """Stay where the cursor is, whatever comes."""
        self._following = False
        self._moved()

    def action_move(self, by: int) -> None:
        self.action_move_to(self._index + by)

    def action_page(self, pages: int) -> None:
        self.action_move(pages * max(1, self.size.height - 1))

    def action_move_to(self, index: int) -> None:
        last = max(len(self._rows) - 1, 0)
        self._index = min(max(index, 0), last)
        self._following = self._following and self._index == last
        self._moved()

    def on_click(self, event: events.Click) -> None:
        row = self.scroll_offset.y + event.y
        if row < len(self._rows):
            self.action_move_to(row)

    def on_mouse_scroll_up(self, _: events.MouseScrollUp) -> None:
        self._following = False
        self.post_message(self.Moved())

    def on_resize(self) -> None:
        self._reveal()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        row, width = self.scroll_offset.y + y, self.size.width
        if not self._rows and not y:
            muted = self.get_component_rich_style("role--muted")
            return Strip([Segment(f" {self._empty}", muted)]).adjust_cell_length(width, muted)
        if row >= len(self._rows):
            return Strip.blank(width, self.rich_style)
        chosen = row == self._index

        def style(role: str) -> Style:
            name = "event-list--cursor" if chosen else f"role--{role}"
            return self.get_component_rich_style(name)

        mark = self._glyphs.marked if chosen else " " * _MARGIN
        line = event_line(
            self._rows[row], width - _MARGIN, self._glyphs, with_day=not self._of_today
        )
        segments = [Segment(mark, style("plain"))]
        segments += [Segment(text, style(role)) for text, role in line]
        return Strip(segments).adjust_cell_length(width, style("plain"))

    def _moved(self) -> None:
        self._reveal()
        self.refresh()
        self.post_message(self.Moved())

    def _reveal(self) -> None:
        """Scroll as far as it takes to have the cursor in sight."""
        top, height = self.scroll_offset.y, max(self.size.height, 1)
        self._scroll(max(min(top, self._index), self._index - height + 1))

    def _scroll(self, top: int) -> None:
        if top != self.scroll_offset.y:
            self.scroll_to(y=top, animate=False, immediate=True)


def _place(rows: Sequence[FarmEvent], event: FarmEvent) -> int:
    """Return where an event is among the rows, or where it would be."""
    for index, row in enumerate(rows):
        if row is event:
            return index
    later = (index for index, row in enumerate(rows) if row.unix_ns > event.unix_ns)
    return next(later, max(len(rows) - 1, 0))
