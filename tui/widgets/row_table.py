"""A table of rows of Textual's, by the keys of every table here."""

from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.widgets import DataTable

from tui.keys import bound


class RowTable(DataTable[Text], inherit_bindings=False):
    """Rows of which the cursor is on one. To the side it is scrolled where it is too wide."""

    BINDINGS: ClassVar[list[BindingType]] = [
        bound("up", "cursor_up"),
        bound("down", "cursor_down"),
        bound("page_up"),
        bound("page_down"),
        bound("first", "scroll_top"),
        bound("last", "scroll_bottom"),
        Binding("left", "cursor_left", show=False),
        Binding("right", "cursor_right", show=False),
    ]

    def __init__(self) -> None:
        super().__init__(cursor_type="row")
