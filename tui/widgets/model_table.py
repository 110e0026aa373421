"""The table of models."""

from collections.abc import Sequence
from typing import ClassVar, Literal

from rich.text import Text
from textual.coordinate import Coordinate

from farm.core.models import ModelKey
from tui.readings.cell_text import Cell
from tui.readings.model_rows import ModelColumn
from tui.widgets.roles import ROLE_CLASSES, role_css
from tui.widgets.row_table import RowTable


class ModelTable(RowTable):
    """Versions as rows. The cursor stays on its version wherever that row moves."""

    COMPONENT_CLASSES: ClassVar[set[str]] = set(ROLE_CLASSES)
    DEFAULT_CSS = """
    ModelTable { height: 1fr; background: $background; scrollbar-size-vertical: 1; }
    """ + role_css("ModelTable")

    def __init__(self, columns: Sequence[ModelColumn]) -> None:
        super().__init__()
        self._columns_shown = columns
        self._told: Sequence[tuple[ModelKey, Sequence[Cell]]] = ()

    def on_mount(self) -> None:
        for column in self._columns_shown:
            self.add_column(Text(column.title, justify=_justify(column)))

    @property
    def chosen(self) -> ModelKey | None:
        """The version that the cursor is on."""
        return self._told[self.cursor_row][0] if self.cursor_row < len(self._told) else None

    def tell(self, rows: Sequence[tuple[ModelKey, Sequence[Cell]]]) -> None:
        """Show rows; those that are as they were are not painted."""
        if rows == self._told:
            return
        if [key for key, _ in rows] == [key for key, _ in self._told]:
            self._change(rows)
        else:
            self._arrange(rows)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        if self._told:
            self._arrange(self._told)

    def _change(self, rows: Sequence[tuple[ModelKey, Sequence[Cell]]]) -> None:
        before, self._told = self._told, rows
        for at, ((_, old), (_, new)) in enumerate(zip(before, rows, strict=True)):
            for column, (was, cell) in enumerate(zip(old, new, strict=True)):
                if was != cell:
                    self.update_cell_at(
                        Coordinate(at, column), self._text(cell, column), update_width=True
                    )

    def _arrange(self, rows: Sequence[tuple[ModelKey, Sequence[Cell]]]) -> None:
        chosen, self._told = self.chosen, rows
        self.clear()
        for _, cells in rows:
            self.add_row(*(self._text(cell, column) for column, cell in enumerate(cells)))
        for at, (key, _) in enumerate(rows):
            if key == chosen:
                self.move_cursor(row=at, animate=False)

    def _text(self, cell: Cell, column: int) -> Text:
        told, role = cell
        style = self.get_component_rich_style(f"role--{role}", partial=True)
        return Text(told, style=style, justify=_justify(self._columns_shown[column]), no_wrap=True)


def _justify(column: ModelColumn) -> Literal["left", "right"]:
    return "right" if column.right else "left"
