"""The whole farm at a glance."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from farm.core.text import printable
from tui.export import Exported
from tui.keys import bound
from tui.readings import sheets
from tui.readings.alerts import Alert, alerts
from tui.readings.columns import COLUMNS, Column
from tui.readings.node_filters import parsed
from tui.readings.reading import Reading
from tui.screens.column_choice import ColumnChoice
from tui.screens.farm_screen import FarmScreen
from tui.store import Store
from tui.widgets.alert_line import AlertLine
from tui.widgets.filter_box import FilterBox
from tui.widgets.head_line import HeadLine
from tui.widgets.node_table import NodeTable

_EXAMPLE = "pi-1 state:ready temp>=70 !board:zero"


class Overview(FarmScreen):
    """What the farm does, its nodes, what is wrong with them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        bound("filter", show=True),
        bound("sort"),
        bound("sort_reverse"),
        bound("columns"),
        bound("next_alert", "alert(1)", show=True),
        bound("previous_alert", "alert(-1)"),
    ]
    AUTO_FOCUS = "NodeTable"

    def __init__(self) -> None:
        super().__init__()
        self._filter = parsed("")
        self._alerts: Sequence[Alert] = ()
        # What is looked at of the alerts.
        self._place: tuple[str, str] | None = None
        self._shown: Reading | None = None

    def compose(self) -> ComposeResult:
        glyphs = self.top.glyphs
        yield HeadLine(glyphs)
        yield NodeTable(glyphs)
        yield AlertLine(glyphs)
        yield FilterBox(lambda text: parsed(text).problem, example=_EXAMPLE)

    def on_mount(self) -> None:
        chosen, table = self.top.choices, self.query_one(NodeTable)
        if chosen.columns:
            shown = {COLUMNS[0].id, *chosen.columns}
            table.choose([column for column in COLUMNS if column.id in shown])
        for column in COLUMNS:
            if column.id == chosen.sort:
                table.sort(column, reverse=chosen.reverse)

    def show(self, store: Store, now: float) -> None:
        self.query_one(HeadLine).show(store.reading)
        if store.reading is not self._shown or store.reading is None:
            self._shown = store.reading
            self._alerts = alerts(store.reading) if store.reading else ()
            self._show_nodes()
        self._show_alerts()

    def exported(self) -> Exported | None:
        return sheets.nodes(self.query_one(NodeTable).rows) if self._shown else None

    def action_filter(self) -> None:
        self.query_one(FilterBox).open()

    def action_sort(self) -> None:
        self.query_one(NodeTable).sort_by_next()

    def action_sort_reverse(self) -> None:
        self.query_one(NodeTable).sort_reverse()

    def action_columns(self) -> None:
        self.app.push_screen(ColumnChoice(self.query_one(NodeTable).chosen), self._columns_chosen)

    def action_alert(self, by: int) -> None:
        """Look at the next alert, or at the next node of one that is about many."""
        places = [place for alert in self._alerts for place in alert.places]
        if not places:
            self.notify("there are no alerts")
            return
        if self._place in places:
            self._look_at(places[(places.index(self._place) + by) % len(places)])
        else:
            self._look_at(places[0 if by > 0 else -1])

    def _look_at(self, place: tuple[str, str]) -> None:
        self._place = place
        _, node_id = place
        table = self.query_one(NodeTable)
        known = self._shown is not None and node_id in self._shown.nodes
        if known and not table.go_to(node_id):
            self.notify(f"the filter hides {printable(node_id)}", severity="warning", markup=False)
        self._show_alerts()

    def _show_alerts(self) -> None:
        looked_at = [
            index for index, alert in enumerate(self._alerts) if self._place in alert.places
        ]
        self.query_one(AlertLine).show(
            self._alerts if self._shown else None, looked_at[0] if looked_at else None
        )

    def _show_nodes(self) -> None:
        reading, table = self._shown, self.query_one(NodeTable)
        if reading is None:
            table.show((), empty="waiting for first sample")
            return
        nodes = [each for each in reading.nodes.values() if self._filter.takes(each)]
        none = "no node matches the filter" if reading.nodes else "no node has joined yet"
        table.show(nodes, empty=none)
        self.query_one(FilterBox).tell(len(nodes), len(reading.nodes))

    def _columns_chosen(self, columns: Sequence[Column] | None) -> None:
        if columns is not None:
            self.query_one(NodeTable).choose(columns)
            ids = tuple(column.id for column in columns)
            self.top.choices = replace(self.top.choices, columns=ids)

    def on_node_table_sorted(self, event: NodeTable.Sorted) -> None:
        self.top.choices = replace(self.top.choices, sort=event.by.id, reverse=event.reverse)

    def on_alert_line_chosen(self, event: AlertLine.Chosen) -> None:
        self._look_at(event.alert.places[0])

    def on_node_table_opened(self, event: NodeTable.Opened) -> None:
        self.top.open_node(event.node_id)

    def on_filter_box_changed(self, event: FilterBox.Changed) -> None:
        self._filter = parsed(event.text)
        self._show_nodes()

    def on_filter_box_done(self) -> None:
        self.query_one(NodeTable).focus()
