"""Where an operator types what to see."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input, Static


class FilterBox(Horizontal):
    """One line: it opens to type, and stays as long as a filter hides something.

    `problem` says why a text is no filter, `example` shows one.
    """

    DEFAULT_CSS = """
    FilterBox { height: 1; display: none; padding: 0 1; background: $surface; }
    FilterBox.-open, FilterBox.-set { display: block; }
    FilterBox > Input { width: 1fr; }
    FilterBox > #filter-sign { width: 2; }
    FilterBox > #filter-told { width: auto; max-width: 60%; height: 1; color: $text-muted; }
    FilterBox.-wrong > #filter-told { color: $text-error; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "clear", "clear the filter", show=False),
    ]

    @dataclass
    class Changed(Message):
        """Something else is to be seen."""

        text: str

    @dataclass
    class Done(Message):
        """The operator has typed."""

    def __init__(
        self, problem: Callable[[str], str], *, example: str, id: str | None = None
    ) -> None:
        super().__init__(id=id)
        self._problem = problem
        self._example = example
        self._told = ""

    def compose(self) -> ComposeResult:
        yield Static("/", id="filter-sign")
        yield Input(
            placeholder=self._example, compact=True, select_on_focus=False, id="filter-text"
        )
        yield Static(id="filter-told", markup=False)

    def open(self) -> None:
        """Let the operator type."""
        self.add_class("-open")
        self.query_one(Input).focus()

    def tell(self, seen: int, of: int) -> None:
        """Tell how many are to be seen, where nothing else is to be told."""
        if not self.has_class("-wrong"):
            self._tell(f"{seen} of {of}")

    def action_clear(self) -> None:
        """Show everything again."""
        self.query_one(Input).value = ""
        self._close()

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        problem = self._problem(event.value)
        self.set_class(bool(event.value.strip()), "-set")
        self.set_class(bool(problem), "-wrong")
        self._tell(problem)
        self.post_message(self.Changed(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._close()

    def _close(self) -> None:
        self.remove_class("-open")
        self.post_message(self.Done())

    def _tell(self, text: str) -> None:
        if text != self._told:
            self._told = text
            self.query_one("#filter-told", Static).update(Text(text))
