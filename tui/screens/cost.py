"""What the farm costs, beside what clouds would ask for the same requests."""

from dataclasses import replace
from datetime import datetime
from typing import ClassVar, Final

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.coordinate import Coordinate
from textual.widgets import DataTable, Static

from farm.core.text import printable
from tui.export import Exported
from tui.keys import bound
from tui.readings import costs
from tui.readings.costs import Costs
from tui.readings.quantities import moment
from tui.screens.farm_screen import FarmScreen
from tui.screens.inquiries import inquire
from tui.sources.source import Operator
from tui.store import Store
from tui.widgets.pair_plot import PairPlot
from tui.widgets.panes import Pane, Panes
from tui.widgets.row_table import RowTable

_EVERY_S: Final = 30.0
# How far back one looks, in words and in seconds.
_SPANS: Final = (("24 h", 86_400), ("7 d", 604_800), ("30 d", 2_592_000), ("1 h", 3_600))


class CostScreen(FarmScreen):
    """Figures of a time, every baseline, and the farm beside the one that is chosen."""

    DEFAULT_CSS = """
    CostScreen {
        & > #span { height: 1; }
        & #figures { height: auto; }
        & RowTable { height: 1fr; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bound("period", show=True),
        bound("next_pane", "step_pane(1)"),
        bound("previous_pane", "step_pane(-1)"),
    ]

    def __init__(self) -> None:
        super().__init__()
        # The period that is asked for, and that of the figures that are shown.
        self._span = self._shown_span = 0
        self._costs: Costs | None = None
        self._chosen = ""
        self._as_of = ""
        self._trouble = ""

    def compose(self) -> ComposeResult:
        ascii_only = self.top.options.ascii_only
        yield Static(id="span")
        self._table = RowTable()
        self._over_time = PairPlot(ascii_only=ascii_only)
        self._break_even = PairPlot(ascii_only=ascii_only)
        self._panes = Panes(
            Pane("Figures", VerticalScroll(Static(id="figures")), id="money"),
            Pane("Baselines", self._table, id="baselines"),
            Pane("Over time", self._over_time, id="over-time"),
            Pane("Break-even", self._break_even, id="break-even"),
        )
        yield self._panes

    def on_mount(self) -> None:
        chosen = self.top.choices
        self._chosen = chosen.baseline
        for span, (_, seconds) in enumerate(_SPANS):
            if seconds == chosen.period_s:
                self._span = span
        self._table.add_columns(*costs.BASELINE_COLUMNS)
        self._ask()

    def show(self, store: Store, now: float) -> None:
        self._show_span()

    def exported(self) -> Exported | None:
        return None if self._costs is None else costs.exported(self._costs.report)

    def action_period(self) -> None:
        self._span = (self._span + 1) % len(_SPANS)
        self.top.choices = replace(self.top.choices, period_s=_SPANS[self._span][1])
        self._trouble = ""
        self._show_span()
        self._ask()

    def action_step_pane(self, by: int) -> None:
        self._panes.step(by)

    def _ask(self) -> None:
        span = self._span
        asking = inquire(
            self,
            lambda operator: self._read(operator, span),
            lambda found: self._take(found, span),
            self._fail,
            every_s=_EVERY_S,
        )
        self.run_worker(asking, exclusive=True, group="costs", exit_on_error=False)

    def _read(self, operator: Operator, span: int) -> Costs:
        _, seconds = _SPANS[span]
        reading, until = self.top.store.reading, self.top.unix_ns()
        return costs.read_costs(
            operator.ledger,
            operator.terms,
            until - seconds * 1_000_000_000,
            until,
            farm="" if reading is None else reading.snapshot.farm_name,
            now=datetime.fromtimestamp(until / 1e9).astimezone(),
            marks=self.top.glyphs.sources,
        )

    def _take(self, found: Costs, span: int) -> None:
        self._costs, self._shown_span, self._trouble = found, span, ""
        self._as_of = f"as of {moment(found.report.until_unix_ns, self.top.unix_ns())}"
        self.query_one("#figures", Static).update(Content("\n").join(found.lines))
        self._show_baselines(found)
        self._show_span()

    def _fail(self, why: str) -> None:
        self._trouble = why
        if self._costs is None:
            told = Content.assemble((printable(why, 300), "$text-warning"))
            self.query_one("#figures", Static).update(told)
        self._show_span()

    def _show_span(self) -> None:
        """Mark the period of what is shown; say which other one is asked for."""
        marked = self._span if self._costs is None else self._shown_span
        spans = [
            (f"[{words}]", "bold $primary") if number == marked else f" {words} "
            for number, (words, _) in sorted(enumerate(_SPANS), key=lambda each: each[1][1])
        ]
        trouble = printable(self._trouble, 200)
        if self._span != marked:
            asked, _ = _SPANS[self._span]
            trouble = f"{asked}: {trouble}" if trouble else f"asking for {asked}"
        said = ", ".join(filter(None, (self._as_of, trouble)))
        self.query_one("#span", Static).update(
            Content.assemble(" Cost ", *spans, (f"  {said or 'asking the gateway'}", "$text-muted"))
        )

    def _show_baselines(self, found: Costs) -> None:
        """Fill the table, the cursor where it was: at first on the baseline of receipts."""
        names = [compared.name for compared in found.compared]
        if names == [key.value for key in self._table.rows]:
            for row, compared in enumerate(found.compared):
                for column, cell in enumerate(compared.row):
                    self._table.update_cell_at(
                        Coordinate(row, column), Text(cell), update_width=True
                    )
        else:
            self._chosen = self._chosen or self._usual()
            self._table.clear()
            for compared in found.compared:
                self._table.add_row(*map(Text, compared.row), key=compared.name)
            if self._chosen in names:
                self._table.move_cursor(row=names.index(self._chosen))
        self._draw()

    def _usual(self) -> str:
        reading = self.top.store.reading
        return "" if reading is None else reading.snapshot.prices.baseline.partition(" ")[0]

    @on(DataTable.RowHighlighted)
    def _choose(self, event: DataTable.RowHighlighted) -> None:
        self._chosen = event.row_key.value or ""
        # The one of receipts is there without being chosen, and may be another tomorrow.
        chosen = "" if self._chosen == self._usual() else self._chosen
        self.top.choices = replace(self.top.choices, baseline=chosen)
        self._draw()

    def _draw(self) -> None:
        """Draw the farm beside the baseline that is chosen."""
        known = () if self._costs is None else self._costs.compared
        chosen = [compared for compared in known if compared.name == self._chosen]
        for compared in (chosen or list(known))[:1]:
            self._over_time.draw(compared.over_time)
            self._break_even.draw(compared.break_even)
