"""What the keys do, and what the symbols mean."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.keys import format_key
from textual.screen import ModalScreen
from textual.widgets import Static

from tui.glyphs import Glyphs
from tui.key_help import key_sections
from tui.keys import bound
from tui.readings import event_filters, model_filters, node_filters
from tui.readings.filters import TERMS, Part
from tui.top import Top

_KEYS_WIDTH = 18


class HelpScreen(ModalScreen[None]):
    """The keys in force on the screen below, with an operator's own; then the symbols."""

    BINDINGS: ClassVar[list[BindingType]] = [
        bound("back", "dismiss"),
        bound("help", "dismiss"),
        bound("quit", "dismiss"),
    ]

    def __init__(self, active: Iterable[Binding], overrides: Mapping[str, str]) -> None:
        super().__init__()
        self._active = tuple(active)
        self._overrides = overrides

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help"):
            yield Static(Content("\n").join([*self._keys(), *_filters(), *self._symbols()]))

    def on_mount(self) -> None:
        self.query_one("#help").border_title = "farm top"
        self.query_one("#help").focus()

    def _keys(self) -> Iterable[Content]:
        for section in key_sections(self._active, self._overrides):
            yield Content.styled(section.heading, "bold $primary")
            for keys, words in section.keys:
                shown = " ".join(map(format_key, keys))
                yield Content.assemble("  ", (f"{shown:<{_KEYS_WIDTH}} ", "bold"), words)
            yield Content("")

    def _symbols(self) -> Iterable[Content]:
        for of, meanings in _meanings(cast(Top, self.app).glyphs).items():
            yield Content.styled(f"symbols of {of}", "bold $primary")
            for symbol, meaning in meanings:
                yield Content.assemble("  ", (f"{symbol:<{_KEYS_WIDTH}} ", "bold"), meaning)
            yield Content("")


def _filters() -> Iterable[Content]:
    yield Content.styled("filters", "bold $primary")
    parts: Mapping[str, Sequence[Part[Any]]] = {
        "nodes": node_filters.PARTS,
        "models": model_filters.PARTS,
        "events": event_filters.PARTS,
    }
    told = [
        *TERMS,
        *((f"parts of {of}", ", ".join(part.name for part in has)) for of, has in parts.items()),
    ]
    for term, words in told:
        yield Content.assemble("  ", (f"{term:<{_KEYS_WIDTH}} ", "bold"), words)
    yield Content("")


def _meanings(glyphs: Glyphs) -> Mapping[str, Iterable[tuple[str, str]]]:
    return {
        "nodes": [(symbol, state) for state, symbol in glyphs.nodes.items()],
        "models": [(symbol, state) for state, symbol in glyphs.models.items()],
        "watts and joules": [(symbol, source) for source, symbol in glyphs.sources.items()],
        "events": [(symbol, severity) for severity, symbol in glyphs.severities.items()],
    }
