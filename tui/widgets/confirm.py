"""A question before something is done."""

from typing import ClassVar, Final, Self, cast

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from farm.core.text import printable
from tui.keys import bound, key_of
from tui.readings.questions import Question
from tui.top import Top

# Characters of a question, and of what comes of it.
_LONGEST: Final = 500


class Confirm(ModalScreen[bool]):
    """Asks a question and answers whether it was meant: by a key or a click.

    `consequence` says what comes of a yes. Nothing of either is taken for markup.
    """

    BINDINGS: ClassVar[list[BindingType]] = [bound("yes", show=True), bound("no", show=True)]
    AUTO_FOCUS = "#no"

    def __init__(self, question: str, consequence: str = "", *, yes: str = "yes") -> None:
        super().__init__()
        self._question = question
        self._consequence = consequence
        self._yes = yes

    @classmethod
    def of(cls, question: Question) -> Self:
        """Return what asks a question."""
        return cls(question.text, question.consequence, yes=question.yes)

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="question"):
            yield Static(Content.styled(printable(self._question, _LONGEST), "bold"))
            if self._consequence:
                yield Static(Content(printable(self._consequence, _LONGEST)))
            own = cast(Top, self.app).options.keys
            with Horizontal():
                yield Button(Content(f"{key_of('yes', own)}  {self._yes}"), id="yes", compact=True)
                yield Button(Content(f"{key_of('no', own)}  cancel"), id="no", compact=True)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_yes(self) -> None:
        self.dismiss(True)

    def action_no(self) -> None:
        self.dismiss(False)
