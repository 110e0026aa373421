"""What happened in the farm, and what happens now."""

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.widgets import Static

from farm.core.events import FarmEvent
from farm.core.text import printable
from tui.export import Exported
from tui.keys import bound
from tui.readings import sheets
from tui.readings.event_filters import parsed
from tui.readings.event_lines import kind_words
from tui.readings.quantities import count, day_and_time
from tui.screens.farm_screen import FarmScreen
from tui.store import Store
from tui.widgets.event_list import EventList
from tui.widgets.filter_box import FilterBox

_EXAMPLE = "pi-07 kind:throttled severity:error !digits"
# Lower terminals need the lines of the event under the cursor for others.
_DETAIL_FROM = 18


class EventsScreen(FarmScreen):
    """Every event that is known, the newest last; the whole of one below them."""

    DEFAULT_CSS = """
    EventsScreen {
        & > #events-head { height: 1; }
        & > #event { height: auto; max-height: 4; padding: 0 1; background: $surface; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bound("filter", show=True),
        bound("follow", show=True),
    ]
    AUTO_FOCUS = "EventList"

    def __init__(self) -> None:
        super().__init__()
        self._filter = parsed("")
        self._matching = 0
        # What was shown last: nothing is looked through again for nothing.
        self._shown: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        yield Static(id="events-head")
        yield EventList(self.top.glyphs)
        yield Static(id="event")
        yield FilterBox(lambda text: parsed(text).problem, example=_EXAMPLE)

    def show(self, store: Store, now: float) -> None:
        known = store.events
        newest = known[-1] if known else None
        shown = (newest, len(known), known[0] if known else None, store.missed_events, self._filter)
        if shown != self._shown:
            self._shown = shown
            self._show_events()
        self.query_one("#event", Static).display = self.size.height >= _DETAIL_FROM

    def exported(self) -> Exported:
        return sheets.events(filter(self._filter.takes, self.top.store.events))

    def action_filter(self) -> None:
        self.query_one(FilterBox).open()

    def action_follow(self) -> None:
        rows = self.query_one(EventList)
        if rows.following:
            rows.stand_still()
        else:
            rows.action_follow()

    def on_filter_box_changed(self, event: FilterBox.Changed) -> None:
        self._filter = parsed(event.text)
        self._show_events()

    def on_filter_box_done(self) -> None:
        self.query_one(EventList).focus()

    def on_event_list_moved(self) -> None:
        self._show_chosen()

    def _show_events(self) -> None:
        known = self.top.store.events
        rows: Sequence[FarmEvent] = [event for event in known if self._filter.takes(event)]
        none = "no event matches the filter" if known else "nothing has happened yet"
        self.query_one(EventList).show(rows, empty=none)
        self.query_one(FilterBox).tell(len(rows), len(known))
        self._matching = len(rows)
        self._show_chosen()

    def _show_chosen(self) -> None:
        rows, store = self.query_one(EventList), self.top.store
        told = [(f" {count(len(store.events))} events", "bold")]
        if self._filter.tests:
            told.append((f", {count(self._matching)} of them match", "bold"))
        told.append((", followed" if rows.following else ", standing still", "$text-muted"))
        if store.missed_events:
            told.append((f"  {count(store.missed_events)} missed", "$text-warning"))
        self.query_one("#events-head", Static).update(Content.assemble(*told))
        self.query_one("#event", Static).update(_whole(rows.chosen))


def _whole(event: FarmEvent | None) -> Content:
    """Return all of an event."""
    if event is None:
        return Content("")
    what = f"{event.severity}: {printable(kind_words(event.kind))}"
    return Content.assemble(
        (f"{day_and_time(event.unix_ns)} {what}, ", "$text-muted"),
        (printable(event.subject, 200), "bold"),
        f"  {printable(event.detail, 1_000)}",
    )
