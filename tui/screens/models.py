"""Every version of every model at a glance."""

from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.widgets import DataTable, Static

from tui.keys import bound
from tui.readings.model_filters import parsed
from tui.readings.model_rows import COLUMNS, ordered
from tui.readings.quantities import count
from tui.readings.reading import Reading
from tui.screens.farm_screen import FarmScreen
from tui.store import Store
from tui.widgets.filter_box import FilterBox
from tui.widgets.model_table import ModelTable

_EXAMPLE: Final = "digits state:ready !int8 node:pi-07"


class ModelsScreen(FarmScreen):
    """The table of models; enter opens one."""

    DEFAULT_CSS = "ModelsScreen > #models-head { height: 1; }"
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
        yield FilterBox(lambda text: parsed(text).problem, example=_EXAMPLE)

    def show(self, store: Store, now: float) -> None:
        if store.reading is not self._shown or store.reading is None:
            self._shown = store.reading
            self._paint()

    def action_filter(self) -> None:
        self.query_one(FilterBox).open()

    def action_sort(self) -> None:
        self._by, self._reverse = (self._by + 1) % len(COLUMNS), False
        self._paint()

    def action_sort_reverse(self) -> None:
        self._reverse = not self._reverse
        self._paint()

    def action_open(self) -> None:
        chosen = self.query_one(ModelTable).chosen
        if chosen is not None:
            self.top.open_model(chosen.name)

    def on_data_table_row_selected(self, _: DataTable.RowSelected) -> None:
        self.action_open()

    def on_filter_box_changed(self, event: FilterBox.Changed) -> None:
        self._filter = parsed(event.text)
        self._paint()

    def on_filter_box_done(self) -> None:
        self.query_one(ModelTable).focus()

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
        wanted = [
            version
            for version in ordered(reading, by, reverse=self._reverse)
            if self._filter.takes(version)
        ]
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
