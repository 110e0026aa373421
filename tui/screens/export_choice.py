"""As what a screen is to be exported."""

from typing import ClassVar, cast

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from tui.export import ExportFormat
from tui.keys import bound, key_of
from tui.top import Top

_WORDS = {
    ExportFormat.CSV: "CSV",
    ExportFormat.JSON: "JSON",
    ExportFormat.SVG: "picture (SVG)",
}


class ExportChoice(ModalScreen[ExportFormat | None]):
    """Answers with a format, or with None if nothing is to be exported."""

    DEFAULT_CSS = """
    ExportChoice {
        align: center middle;
        & Vertical { height: auto; margin-top: 1; }
        & Button { width: 100%; content-align: left middle; text-align: left; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bound("export_csv", "export('csv')"),
        bound("export_json", "export('json')"),
        bound("export_svg", "export('svg')"),
        bound("no"),
    ]

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="question"):
            yield Static(Content.styled("Export what this screen shows", "bold"))
            yield Static(Content("into a new file in the working directory"))
            with Vertical():
                own = cast(Top, self.app).options.keys
                for form, words in _WORDS.items():
                    key = key_of(f"export_{form}", own)
                    yield Button(Content(f"{key}  {words}"), id=form, compact=True)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.action_export(event.button.id or "")

    def action_export(self, form: str) -> None:
        self.dismiss(ExportFormat(form))

    def action_no(self) -> None:
        self.dismiss(None)
