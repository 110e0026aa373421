"""Every version of every model at a glance."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.widgets import DataTable, Static

from farm.core.text import printable
from tui.export import Exported
from tui.keys import bound
from tui.readings import sheets
from tui.readings.model_filters import parsed
from tui.readings.model_rows import COLUMNS, ordered
from tui.readings.quantities import count
from tui.readings.reading import ModelReading, Reading
from tui.screens.farm_screen import FarmScreen
from tui.store import Store
from tui.widgets.filter_box import FilterBox
from tui.widgets.model_table import ModelTable

# Characters of a reason.
_LONGEST: Final = 300
_EXAMPLE: Final = "digits state:ready !int8 node:pi-07"


class ModelsScreen(FarmScreen):
    """The table of models; enter opens one."""

    DEFAULT_CSS = """
    ModelsScreen {
        & > #models-head { height: 1; }
        & > #why { height: auto; max-height: 3; padding: 0 1; background: $surface; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bound("open", show=True),
        bound("filter", show=True),
        bound("sort", show=True),
        bound("sort_reverse"),
    ]
    AUTO_FOCUS = "ModelTable"

    def __init__(self) -> None:
        super().__init__()
        self._by = 0
        self._reverse = False
        self._filter = parsed("")
        self._shown: Reading | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="models-head")
        yield ModelTable(COLUMNS)
        yield Static(id="why")
        yield FilterBox(lambda text: parsed(text).problem, example=_EXAMPLE)

    def on_mount(self) -> None:
        chosen, titles = self.top.choices, [column.title for column in COLUMNS]
        if chosen.models_sort in titles:
            self._by, self._reverse = titles.index(chosen.models_sort), chosen.models_reverse

    def show(self, store: Store, now: float) -> None:
        if store.reading is not self._shown or store.reading is None:
            self._shown = store.reading
            self._paint()

    def exported(self) -> Exported | None:
        if self._shown is None:
            return None
        return sheets.models(self._wanted(self._shown))

    def action_filter(self) -> None:
        self.query_one(FilterBox).open()

    def action_sort(self) -> None:
        self._sort((self._by + 1) % len(COLUMNS), reverse=False)

    def action_sort_reverse(self) -> None:
        self._sort(self._by, reverse=not self._reverse)

    def action_open(self) -> None:
        chosen = self.query_one(ModelTable).chosen
        if chosen is not None:
            self.top.open_model(chosen.name)

    def on_data_table_row_highlighted(self, _: DataTable.RowHighlighted) -> None:
        self._show_why()

    def on_data_table_row_selected(self, _: DataTable.RowSelected) -> None:
        self.action_open()

    def on_filter_box_changed(self, event: FilterBox.Changed) -> None:
        self._filter = parsed(event.text)
        self._paint()

    def on_filter_box_done(self) -> None:
        self.query_one(ModelTable).focus()

    def _sort(self, by: int, *, reverse: bool) -> None:
        self._by, self._reverse = by, reverse
        self.top.choices = replace(
            self.top.choices, models_sort=COLUMNS[by].title, models_reverse=reverse
        )
        self._paint()

    def _wanted(self, reading: Reading) -> Sequence[ModelReading]:
        """Return the versions that are to be seen, in their order."""
        versions = ordered(reading, COLUMNS[self._by], reverse=self._reverse)
        return [version for version in versions if self._filter.takes(version)]

    def _paint(self) -> None:
        head, reading = self.query_one("#models-head", Static), self._shown
        if reading is None:
            head.update("waiting for the first sample")
            return
        by = COLUMNS[self._by]
        arrow = self.top.glyphs.falling if by.largest_first is not self._reverse else None
        versions = len(reading.models)
        head.update(
            Content.assemble(
                (
                    f"{count(versions)} {'version' if versions == 1 else 'versions'} of models",
                    "bold",
                ),
                (f" by {by.title} {arrow or self.top.glyphs.rising}", "$text-muted"),
            )
        )
        nodes = len(reading.nodes)
        wanted = self._wanted(reading)
        self.query_one(FilterBox).tell(len(wanted), versions)
        self.query_one(ModelTable).tell(
            [
                (
                    version.model.key,
                    [column.cell(version, nodes, self.top.glyphs) for column in COLUMNS],
                )
                for version in wanted
            ]
        )
        self._show_why()

    def _show_why(self) -> None:
        """Show why the version under the cursor is as it is: there is seldom room in its row."""
        chosen = self.query_one(ModelTable).chosen
        known = self._shown.models if self._shown is not None else ()
        told = next(
            (
                version.model.reason or version.model.batching_reason
                for version in known
                if version.model.key == chosen
            ),
            "",
        )
        line = self.query_one("#why", Static)
        line.display = bool(told)
        line.update(Content(printable(f"{chosen}: {told}", _LONGEST)))
