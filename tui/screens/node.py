"""One node in depth: how it fared, what it runs, what its models take, what its log says."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from farm.core.histories import HistoryPoint
from farm.core.node_details import ModelOnNode, NodeDetails
from farm.core.nodes import NodeState
from farm.core.snapshots import NodeSnapshot
from farm.core.text import printable
from tui.draining import drain
from tui.errands import Say, Work
from tui.export import Exported
from tui.glyphs import Glyphs
from tui.keys import bound
from tui.readings import curves, node_lines, questions, sheets
from tui.readings.node_history import joined
from tui.readings.reading import NodeReading, Reading
from tui.screens.acting import ActingScreen, OutcomeLine
from tui.screens.inquiries import inquire
from tui.sources.source import Operator
from tui.store import Store
from tui.widgets.batches import batch_lines, slot_line
from tui.widgets.curves import curve_lines
from tui.widgets.log_tail import LogTail
from tui.widgets.node_plots import NodePlots
from tui.widgets.panes import Pane, Panes

_DETAILS_S: Final = 1.0
# The screen itself remembers two minutes.
_HISTORY_S: Final = 60.0
# Characters of a reason.
_LONGEST: Final = 300

_STYLES: Final = {
    NodeState.READY: "$text-success",
    NodeState.JOINING: "$text-accent",
    NodeState.CORDONED: "$text-warning",
    NodeState.SUSPECT: "$text-warning",
    NodeState.EJECTED: "$text-error",
    NodeState.LOST: "$text-error",
}


class NodeScreen(ActingScreen):
    """Shows a node, and what can be done to it."""

    DEFAULT_CSS = """
    NodeScreen {
        & > #node { height: auto; max-height: 5; }
        & .text { height: auto; }
        &.stale .plot--line, &.-gone .plot--line { color: $text-muted; }
        &.-gone Panes * { text-opacity: 55%; }
        &.-low > #node { max-height: 3; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bound("cordon", show=True),
        bound("uncordon", show=True),
        bound("drain", show=True),
        bound("restart", show=True),
        bound("log", show=True),
        bound("span"),
        bound("next_pane", "step_pane(1)"),
        bound("previous_pane", "step_pane(-1)"),
    ]

    VERTICAL_BREAKPOINTS = [(0, "-low"), (20, "-high")]  # noqa: RUF012

    def __init__(self, node_id: str) -> None:
        super().__init__()
        self.node_id = node_id
        self._history: Sequence[HistoryPoint] = ()
        self._details: NodeDetails | None = None
        self._seen: Reading | None = None
        # Whether the farm had this node since the screen was opened.
        self._known = False

    def compose(self) -> ComposeResult:
        ascii_only = self.top.options.ascii_only
        yield Static(id="node")
        yield OutcomeLine(("node", self.node_id))
        self._plots = NodePlots(ascii_only=ascii_only, span_s=self.top.choices.span_s)
        self._log_tail = LogTail(self.node_id)
        self._log_pane = Pane("Log", self._log_tail, id="log")
        self._panes = Panes(
            Pane("History", self._plots, id="history"),
            Pane(
                "Batches",
                VerticalScroll(
                    Static(id="slots", classes="text"), Static(id="details", classes="text")
                ),
                id="batches",
            ),
            Pane("Curves", VerticalScroll(Static(id="models", classes="text")), id="curves"),
            self._log_pane,
        )
        yield self._panes

    def on_mount(self) -> None:
        asking = (
            inquire(
                self,
                lambda operator: operator.describe_node(self.node_id),
                self._take_details,
                self._no_details,
                every_s=_DETAILS_S,
            ),
            inquire(
                self,
                lambda operator: operator.history(self.node_id),
                self._take_history,
                lambda _: None,
                every_s=_HISTORY_S,
            ),
        )
        for inquiry in asking:
            self.run_worker(inquiry, exit_on_error=False)

    def show(self, store: Store, now: float) -> None:
        reading = store.reading
        if reading is self._seen:
            return
        self._seen = reading
        node = None if reading is None else reading.nodes.get(self.node_id)
        self._known = self._known or node is not None
        gone = self._known and reading is not None and node is None
        self.set_class(gone, "-gone")
        if node is None:
            why = "waiting for the first sample" if reading is None else "the farm has no such node"
            if gone:
                why += " any more; what is greyed is the last that was known of it"
            self.query_one("#node", Static).update(Content(f"{printable(self.node_id)}: {why}"))
            return
        symbols = self.top.glyphs
        self.query_one("#node", Static).update(_head(node, symbols))
        self.query_one("#slots", Static).update(slot_line(node.node, symbols))
        self._show_plots()

    def exported(self) -> Exported | None:
        reading = self.top.store.reading
        node = None if reading is None else reading.nodes.get(self.node_id)
        return None if node is None else sheets.history(joined(self._history, node.trends))

    def action_cordon(self) -> None:
        self._ask("cordon", questions.cordon, _cordon)

    def action_uncordon(self) -> None:
        self._ask("uncordon", questions.uncordon, _uncordon)

    def action_restart(self) -> None:
        self._ask("restart", questions.restart, _restart)

    def action_drain(self) -> None:
        work = partial(drain, node_id=self.node_id, store=self.top.store, now=self.top.now)
        self._ask("drain", questions.drain, lambda _: work)

    def action_log(self) -> None:
        self._panes.choose(self._log_pane)

    def action_span(self) -> None:
        span_s = self._plots.next_span()
        self.top.choices = replace(self.top.choices, span_s=span_s)

    def action_step_pane(self, by: int) -> None:
        self._panes.step(by)

    def _ask(
        self,
        name: str,
        question: Callable[[Reading, NodeSnapshot], questions.Question],
        work: Callable[[str], Work],
    ) -> None:
        reading = self.top.store.reading
        node = None if reading is None else reading.nodes.get(self.node_id)
        if self.refused(name) or reading is None:
            return
        if node is None:
            self.notify(f"{name}: the farm has no such node", severity="warning", markup=False)
            return
        if name in _POINTLESS and node.node.cordoned is _POINTLESS[name]:
            state = "cordoned already" if node.node.cordoned else "not cordoned"
            self.notify(
                f"{name}: {printable(self.node_id)} is {state}", severity="warning", markup=False
            )
            return
        asked = question(reading, node.node)
        self.act(("node", self.node_id), f"{name} {self.node_id}", asked, work(self.node_id))

    def on_panes_shown(self) -> None:
        """Follow the log from when it is first looked at."""
        if self._panes.shows(self._log_pane):
            operator = self.top.operator
            if operator is None:
                self._log_tail.say(f"{self.top.source.title} holds no logs")
            else:
                self._log_tail.follow(operator)

    def _take_details(self, details: NodeDetails) -> None:
        self._details = details
        self._show_details()

    def _no_details(self, why: str) -> None:
        self._show_details(printable(why, _LONGEST))

    def _show_details(self, trouble: str = "") -> None:
        """Show what is known in depth, and why it may be old."""
        batches, models = [], []
        if trouble:
            batches = models = [Content.assemble((trouble, "$text-warning"))]
        if self._details is not None:
            now_ns = self.top.unix_ns()
            batches = [*batches, *batch_lines(self._details, now_ns)]
            models = [*models, *_model_lines(self._details.models, self.top.glyphs, now_ns)]
        self.query_one("#details", Static).update(Content("\n").join(batches))
        self.query_one("#models", Static).update(Content("\n").join(models))

    def _take_history(self, points: Sequence[HistoryPoint]) -> None:
        self._history = points
        self._show_plots()

    def _show_plots(self) -> None:
        node = None if self._seen is None else self._seen.nodes.get(self.node_id)
        if node is not None:
            self._plots.show(joined(self._history, node.trends))


# What a node's cordon is when an action on it would change nothing.
_POINTLESS: Final = {"cordon": True, "uncordon": False}


def _cordon(node_id: str) -> Work:
    async def work(operator: Operator, _: Say) -> str:
        await asyncio.to_thread(operator.cordon, node_id)
        return "it gets no new batches"

    return work


def _uncordon(node_id: str) -> Work:
    async def work(operator: Operator, _: Say) -> str:
        await asyncio.to_thread(operator.uncordon, node_id)
        return "it gets batches again"

    return work


def _restart(node_id: str) -> Work:
    async def work(operator: Operator, say: Say) -> str:
        say("waiting for its batches and for a new process")
        await asyncio.to_thread(operator.restart, node_id)
        return "a new process is up; it serves once it has its models"

    return work


def _head(reading: NodeReading, symbols: Glyphs) -> Content:
    """Return the lines about a node, what matters most first."""
    node = reading.node
    dot = f" {symbols.separator} "
    state = f"{symbols.nodes[node.state]} {node.state}"
    if node.cordoned and node.state is not NodeState.CORDONED:
        state += ", cordoned"
    lines = [
        Content.assemble(
            (state, f"bold {_STYLES[node.state]}"),
            (f" {printable(node.node_id)} ", "bold"),
        )
    ]
    troubles = node_lines.troubles(reading)
    if troubles:
        lines.append(Content.assemble((f"{symbols.warning} {dot.join(troubles)}", "$text-warning")))
    lines.append(Content(dot.join(node_lines.condition(reading, symbols.sources))))
    lines.append(Content.assemble((dot.join(node_lines.identity(reading)), "$text-muted")))
    return Content("\n").join(lines)


def _model_lines(
    models: Sequence[ModelOnNode], symbols: Glyphs, now_unix_ns: int
) -> Iterable[Content]:
    if not models:
        yield Content.assemble(("the farm serves no models", "$text-muted"))
    for model in models:
        state = "ready" if model.ready else "not ready"
        reason = f": {printable(model.reason, _LONGEST)}" if model.reason else ""
        yield Content.assemble(
            (printable(str(model.model)), "bold"),
            " ",
            (f"{state}{reason}", "$text-success" if model.ready else "$text-warning"),
        )
        curve = curves.of_node(model)
        if curve is None:
            yield Content.assemble(("    its curve is not measured yet", "$text-muted"))
        else:
            yield from curve_lines(curve, symbols, now_unix_ns)
        yield Content("")
