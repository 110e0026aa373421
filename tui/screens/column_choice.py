"""Which columns of the table of nodes an operator wants to see."""

from collections.abc import Sequence
from typing import ClassVar, cast

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import SelectionList, Static

from tui.keys import bound, key_of
from tui.readings.columns import COLUMNS, Column
from tui.top import Top


class ColumnChoice(ModalScreen[Sequence[Column]]):
    """Asks for columns; the name of a node is always one of them."""

    DEFAULT_CSS = """
    ColumnChoice { align: center middle; }
    ColumnChoice > Vertical {
        width: 90%; max-width: 72; height: auto; max-height: 90%;
        padding: 0 1; background: $surface; border: round $primary;
    }
    ColumnChoice SelectionList { height: auto; max-height: 100%; border: none; padding: 0; }
    ColumnChoice Static { color: $text-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        bound("back", "done"),
        bound("columns", "done"),
        bound("quit", "done"),
    ]

    def __init__(self, chosen: Sequence[Column]) -> None:
        super().__init__()
        self._chosen = {column.id for column in chosen}

    def compose(self) -> ComposeResult:
        choices = [
            (Text(f"{column.title}: {column.words}"), column.id, column.id in self._chosen)
            for column in COLUMNS[1:]
        ]
        with Vertical():
            back = key_of("back", cast(Top, self.app).options.keys)
            yield Static(f"space chooses, {back} goes back; what finds no room is not shown")
            yield SelectionList[str](*choices, compact=True)

    def action_done(self) -> None:
        chosen = {COLUMNS[0].id, *self.query_one(SelectionList).selected}
        self.dismiss([column for column in COLUMNS if column.id in chosen])
