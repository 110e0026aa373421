"""The table of nodes: as many rows as there are nodes, painted only where something changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, TypeAlias

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.glyphs import Glyphs
from tui.keys import bound
from tui.readings.cell_text import Cell, Role, fitted
from tui.readings.columns import COLUMNS, Column
from tui.readings.reading import NodeReading
from tui.readings.rows import cells, fitting, ordered, titles
from tui.widgets.painted import Painted
from tui.widgets.roles import ROLE_CLASSES, role_css

# Before the first column: where the cursor is, without a colour.
_MARGIN: Final = 1
_HEADER: Final = 1

# What of a line is painted: nothing else decides how it looks.
_Look: TypeAlias = tuple[tuple[Cell, ...], bool]


class NodeTable(ScrollView, Painted, can_focus=True):
    """Nodes as rows, by any column. The cursor stays on its node wherever that row moves.

    Lines are painted by hand: `DataTable` takes several times as long for as many rows
    (docs/benchmarks/README.md).
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *ROLE_CLASSES, "node-table--header", "node-table--cursor",
    }  # fmt: skip
    DEFAULT_CSS = """
    NodeTable {
        height: 1fr;
        overflow-x: hidden;
        scrollbar-gutter: stable;
        scrollbar-size-vertical: 1;
        background: $background;
        color: $foreground;
    }
    NodeTable > .node-table--header { color: $text-muted; text-style: bold; }
    NodeTable > .node-table--cursor {
        background: $block-cursor-background;
        color: $block-cursor-foreground;
        text-style: $block-cursor-text-style;
    }
    """ + role_css("NodeTable")
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = [
        bound("up", "move(-1)"),
        bound("down", "move(1)"),
        bound("page_up", "page(-1)"),
        bound("page_down", "page(1)"),
        bound("first", "move_to(0)"),
        bound("last", "move_to(-1)"),
        bound("open"),
    ]

    @dataclass
    class Opened(Message):
        """An operator wants to see a node."""

        node_id: str

    @dataclass
    class Sorted(Message):
        """Rows are in another order."""

        by: Column
        reverse: bool

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._glyphs = glyphs
        self._chosen: Sequence[Column] = COLUMNS
        self._columns: list[tuple[Column, int]] = []
        self._by = COLUMNS[0]
        self._reverse = False
        self._given: Sequence[NodeReading] = ()
        self._rows: list[NodeReading] = []
        self._index = 0
        # Where the cursor was put, though a filter may hide that node.
        self._wanted: str | None = None
        self._longest = 0
        self._empty = ""
        # Of this reading, by the number of the row.
        self._cells: dict[int, tuple[Cell, ...]] = {}
        # What is painted, by line.
        self._painted: dict[int, _Look] = {}
        self._styles: dict[str, Style] = {}

    @property
    def node_id(self) -> str | None:
        """The node that the cursor is on."""
        return self._rows[self._index].node.node_id if self._rows else None

    @property
    def rows(self) -> Sequence[NodeReading]:
        """The nodes in their order."""
        return self._rows

    @property
    def chosen(self) -> Sequence[Column]:
        """The columns that are shown where there is room."""
        return self._chosen

    def show(self, nodes: Sequence[NodeReading], *, empty: str = "") -> None:
        """Show nodes, or say why there are none."""
        self._given = nodes
        self._longest = max((cell_len(each.node.node_id) for each in nodes), default=0)
        if empty != self._empty:
            self._empty = empty
            self._painted.clear()
        self._arrange()

    def choose(self, columns: Sequence[Column]) -> None:
        """Show these columns, as far as there is room."""
        self._chosen = columns
        self._arrange()

    def sort(self, column: Column, *, reverse: bool = False) -> None:
        """Sort rows by a column, or the other way round."""
        self._by, self._reverse = column, reverse
        self.post_message(self.Sorted(column, reverse))
        self._painted.clear()
        self._arrange()
        self._reveal()

    def sort_by_next(self) -> None:
        """Sort rows by the next column that is shown, from left to right and round again."""
        shown = [column for column, _ in self._columns]
        if shown:
            after = shown.index(self._by) + 1 if self._by in shown else 0
            self.sort(shown[after % len(shown)])

    def sort_reverse(self) -> None:
        """Sort rows the other way round."""
        self.sort(self._by, reverse=not self._reverse)

    def go_to(self, node_id: str) -> bool:
        """Put the cursor on a node; return whether it is among the rows."""
        for index, each in enumerate(self._rows):
            if each.node.node_id == node_id:
                self.action_move_to(index)
                return True
        return False

    def action_open(self) -> None:
        if self.node_id is not None:
            self.post_message(self.Opened(self.node_id))

    def action_move(self, by: int) -> None:
        self.action_move_to(min(max(0, self._index + by), max(0, len(self._rows) - 1)))

    def action_page(self, pages: int) -> None:
        self.action_move(pages * max(1, self._height - 1))

    def action_move_to(self, index: int) -> None:
        if self._rows:
            self._index = index % len(self._rows)
            self._wanted = self.node_id
            self._repaint()
            self._reveal()

    def on_click(self, event: events.Click) -> None:
        if event.y < _HEADER:
            if (column := self._column_at(event.x)) is not None:
                self.sort(column, reverse=column is self._by and not self._reverse)
            return
        row = self._row_at(event.y)
        if row is not None:
            self.action_move_to(row)
            if event.chain > 1:
                self.action_open()

    def on_resize(self) -> None:
        self._arrange()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._styles.clear()
        self._painted.clear()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        if y < _HEADER:
            return self._header()
        row = self._row_at(y)
        if row is None:
            text = f" {self._empty}" if y == _HEADER and not self._rows else ""
            return Strip(
                [Segment(fitted(text, self.size.width, self._glyphs.cut), self._style(Role.MUTED))]
            )
        look = self._look(row)
        self._painted[y] = look
        return self._strip(*look)

    @property
    def _height(self) -> int:
        """Rows that are in sight."""
        return max(0, self.scrollable_content_region.height - _HEADER)

    def _arrange(self) -> None:
        """Put rows and columns into order, and paint what that changed."""
        width = self.scrollable_content_region.width - _MARGIN
        columns = fitting(self._chosen, width, self._longest) if width > 0 else []
        if columns != self._columns:
            self._columns = columns
            self._painted.clear()
        self._rows = ordered(self._given, self._by, reverse=self._reverse)
        self._cells.clear()
        self._follow()
        size = Size(1, len(self._rows) + _HEADER)
        if size != self.virtual_size:
            self._painted.clear()
            self.virtual_size = size
        self._repaint()

    def _follow(self) -> None:
        """Keep the cursor on its node; while that is not to be seen, at its place."""
        for index, each in enumerate(self._rows):
            if each.node.node_id == self._wanted:
                self._index = index
                return
        self._index = min(self._index, max(0, len(self._rows) - 1))
        if self._wanted is None:
            self._wanted = self.node_id

    def _repaint(self) -> None:
        """Have those lines painted that look otherwise than they are."""
        if not self._painted:
            self.refresh()
            return
        for y in range(_HEADER, _HEADER + self._height):
            row = self._row_at(y)
            if row is not None and self._painted.get(y) != self._look(row):
                self.refresh(Region(0, y, self.size.width, 1))

    def _reveal(self) -> None:
        """Scroll as far as it takes to have the cursor in sight."""
        top = self.scroll_offset.y
        wanted = max(min(top, self._index), self._index - self._height + 1)
        if wanted != top:
            self.scroll_to(y=wanted, animate=False, immediate=True)

    def _row_at(self, y: int) -> int | None:
        row = self.scroll_offset.y + y - _HEADER
        return row if row < len(self._rows) else None

    def _column_at(self, x: int) -> Column | None:
        begins = _MARGIN
        for column, width in self._columns:
            if begins <= x <= begins + width:
                return column
            begins += width + 1
        return None

    def _look(self, row: int) -> _Look:
        shown = self._cells.get(row)
        if shown is None:
            shown = self._cells[row] = cells(self._rows[row], self._columns, self._glyphs)
        return shown, row == self._index

    def _strip(self, shown: tuple[Cell, ...], cursor: bool) -> Strip:
        """Return a row; neighbours of one role are one segment, for each takes time."""
        cut = self._glyphs.cut
        text, last = self._glyphs.marked if cursor else " " * _MARGIN, Role.PLAIN
        segments = []
        for (column, width), (told, role) in zip(self._columns, shown, strict=True):
            if role is not last:
                segments.append(Segment(text, self._style(last, cursor)))
                text, last = "", role
            text += fitted(told, width, cut, right=column.right) + " "
        segments.append(Segment(text, self._style(last, cursor)))
        return Strip(segments).adjust_cell_length(self.size.width, self._style(Role.PLAIN, cursor))

    def _header(self) -> Strip:
        arrow = (
            self._glyphs.rising if self._by.largest_first is self._reverse else self._glyphs.falling
        )
        shown = titles(self._columns, self._by, arrow, self._glyphs.cut)
        style = self.get_component_rich_style("node-table--header")
        text = fitted(" " * _MARGIN + shown, self.size.width, "")
        return Strip([Segment(text, style)])

    def _style(self, role: Role, cursor: bool = False) -> Style:
        name = "node-table--cursor" if cursor else f"role--{role}"
        style = self._styles.get(name)
        if style is None:
            style = self._styles[name] = self.get_component_rich_style(name)
        return style
