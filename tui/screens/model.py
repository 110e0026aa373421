"""One model in depth: its versions, where they are ready or why not, its curves."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from farm.core.models import ModelState
from farm.core.snapshots import ModelSnapshot
from farm.core.text import printable
from tui.errands import Say, Work
from tui.export import Exported
from tui.keys import bound
from tui.readings import curves, model_lines, questions, sheets
from tui.readings.reading import ModelReading, Reading
from tui.screens.acting import ActingScreen, OutcomeLine
from tui.screens.inquiries import inquire
from tui.sources.source import Operator
from tui.store import Store
from tui.widgets.aligned import aligned
from tui.widgets.curves import curve_lines
from tui.widgets.panes import Pane, Panes

if TYPE_CHECKING:
    from farm.pb.farm_admin_pb2 import ModelDescription, NodeReadiness

_DESCRIBE_S: Final = 2.0
# How often it is looked how far a load is.
_LOOK_S: Final = 0.2
_LONGEST: Final = 300

_STYLES: Final = {
    ModelState.READY: "$text-success",
    ModelState.LOADING: "$text-accent",
    ModelState.UNLOADING: "$text-warning",
    ModelState.UNAVAILABLE: "$text-error",
}


class ModelScreen(ActingScreen):
    """Shows all versions of a model, and loads or unloads it."""

    DEFAULT_CSS = """
    ModelScreen {
        & > #model { height: 1; }
        & .text { height: auto; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bound("load", show=True),
        bound("unload", show=True),
        bound("next_pane", "step_pane(1)"),
        bound("previous_pane", "step_pane(-1)"),
    ]

    def __init__(self, name: str) -> None:
        super().__init__()
        self.model_name = name
        self._described: Sequence[ModelDescription] = ()
        self._trouble = ""
        self._seen: Reading | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="model")
        yield OutcomeLine(("model", self.model_name))
        self._panes = Panes(
            *(
                Pane(title, VerticalScroll(Static(id=f"{id}-text", classes="text")), id=id)
                for title, id in (
                    ("Versions", "versions"), ("Nodes", "readiness"), ("Curves", "curves"),
                )
            )
        )  # fmt: skip
        yield self._panes

    def on_mount(self) -> None:
        inquiry = inquire(
            self,
            lambda operator: operator.describe(self.model_name),
            self._take,
            self._fail,
            every_s=_DESCRIBE_S,
        )
        self.run_worker(inquiry, exit_on_error=False)

    def show(self, store: Store, now: float) -> None:
        if store.reading is not self._seen or store.reading is None:
            self._seen = store.reading
            self._show_versions()

    def exported(self) -> Exported | None:
        return sheets.models(self._versions()) if self.top.store.reading is not None else None

    def action_load(self) -> None:
        self._ask("load", questions.load, lambda operator: operator.load, "it is served")

    def action_unload(self) -> None:
        self._ask(
            "unload", questions.unload, lambda operator: operator.unload, "it is served no longer"
        )

    def action_step_pane(self, by: int) -> None:
        self._panes.step(by)

    def _ask(
        self,
        name: str,
        question: Callable[[Sequence[ModelSnapshot], str], questions.Question],
        method: Callable[[Operator], Callable[[str], None]],
        done: str,
    ) -> None:
        if self.refused(name):
            return
        asked = question([version.model for version in self._versions()], self.model_name)
        work = _watched(method, self.model_name, done, self.top.store)
        self.act(("model", self.model_name), f"{name} {self.model_name}", asked, work)

    def _versions(self) -> list[ModelReading]:
        """Return the model's versions, the newest first."""
        reading = self.top.store.reading
        versions = [
            version
            for version in (reading.models if reading is not None else ())
            if version.model.key.name == self.model_name
        ]
        return sorted(versions, key=lambda version: -version.model.key.version)

    def _take(self, described: "Sequence[ModelDescription]") -> None:
        self._described, self._trouble = described, ""
        self._show_versions()
        self._show_described()

    def _fail(self, why: str) -> None:
        self._trouble = printable(why, _LONGEST)
        self._show_versions()
        self._show_described()

    def _show_versions(self) -> None:
        reading, versions = self.top.store.reading, self._versions()
        head = self.query_one("#model", Static)
        told = f"{len(versions)} {'version' if len(versions) == 1 else 'versions'}"
        if reading is None:
            told = "waiting for the first sample"
        elif not versions:
            told = "the farm has no such model"
        head.update(Content.assemble((printable(self.model_name), "bold"), f" {told}"))
        lines = Content("\n").join(self._version_lines(versions))
        self.query_one("#versions-text", Static).update(lines)

    def _version_lines(self, versions: Sequence[ModelReading]) -> Iterable[Content]:
        symbols, nodes = self.top.glyphs, len(self._seen.nodes) if self._seen is not None else 0
        dot = f" {symbols.separator} "
        described = {each.snapshot.version: each for each in self._described}
        for version in versions:
            model = version.model
            reason = f": {printable(model.reason, _LONGEST)}" if model.reason else ""
            yield Content.assemble(
                (f"version {model.key.version} " if model.key.version else "", "bold"),
                (f"{symbols.models[model.state]} {model.state}{reason}", _STYLES[model.state]),
            )
            yield Content(f"  {dot.join(model_lines.work(version, nodes))}")
            yield Content(f"  {dot.join(model_lines.totals(version))}")
            muted = [model_lines.batching(version)]
            if (known := described.get(model.key.version)) is not None:
                muted += [dot.join(model_lines.facts(known)), *model_lines.tensors(known)]
            yield from (Content.assemble((f"  {line}", "$text-muted")) for line in muted)
            yield Content("")

    def _show_described(self) -> None:
        trouble = [Content.assemble((self._trouble, "$text-warning"))] if self._trouble else []
        nodes, curved = list(trouble), list(trouble)
        for version in self._described:
            title = Content.assemble((f"version {version.snapshot.version}", "bold"))
            nodes += [title, *_readiness(version.nodes), Content("")]
            curved.append(title)
            found = curves.of_version(version)
            if not found:
                curved.append(Content.assemble(("  no curve is measured yet", "$text-muted")))
            for curve in found:
                curved += [*curve_lines(curve, self.top.glyphs, self.top.unix_ns()), Content("")]
        self.query_one("#readiness-text", Static).update(Content("\n").join(nodes))
        self.query_one("#curves-text", Static).update(Content("\n").join(curved))


def _watched(
    method: Callable[[Operator], Callable[[str], None]], name: str, done: str, store: Store
) -> Work:
    """Return work that says, until it is done, what the gateway says of the model."""

    async def work(operator: Operator, say: Say) -> str:
        doing = asyncio.create_task(asyncio.to_thread(method(operator), name))
        while not doing.done():
            reading = store.reading
            reasons = {
                version.model.reason
                for version in (reading.models if reading is not None else ())
                if version.model.key.name == name and version.model.reason
            }
            say("; ".join(sorted(reasons)) or "under way")
            await asyncio.wait([doing], timeout=_LOOK_S)
        doing.result()
        return done

    return work


def _readiness(nodes: "Iterable[NodeReadiness]") -> Iterable[Content]:
    rows = [
        (
            printable(node.node_id),
            "ready" if node.ready else "not ready",
            printable(" ".join(filter(None, (node.board, node.cpu_class)))),
            printable(node.reason, _LONGEST),
        )
        for node in nodes
    ]
    if not rows:
        yield Content.assemble(("  the farm has no nodes", "$text-muted"))
        return
    for row, line in zip(rows, aligned(rows), strict=True):
        ready = row[1] == "ready"
        yield Content.assemble((f"  {line}", "$text-success" if ready else "$text-warning"))
