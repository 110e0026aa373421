"""A question before something is done."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from tui.keys import bound


class Confirm(ModalScreen[bool]):
    """Asks a question and answers whether it was meant: `y`, or a click; anything else is no.

    `consequence` says what comes of a yes. Nothing of either is taken for markup.
    """

    BINDINGS: ClassVar[list[BindingType]] = [bound("yes", show=True), bound("no", show=True)]
    AUTO_FOCUS = "#no"

    def __init__(self, question: str, consequence: str = "", *, yes: str = "yes") -> None:
        super().__init__()
        self._question = question
        self._consequence = consequence
        self._yes = yes

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="question"):
            yield Static(Content.styled(self._question, "bold"))
            if self._consequence:
                yield Static(Content(self._consequence))
            with Horizontal():
                yield Button(Content(f"y  {self._yes}"), id="yes", compact=True)
                yield Button(Content("n  cancel"), id="no", compact=True)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_yes(self) -> None:
        self.dismiss(True)

    def action_no(self) -> None:
        self.dismiss(False)
