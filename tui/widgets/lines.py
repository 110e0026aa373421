"""Some lines of text, painted only when they change."""

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from textual.strip import Strip

from tui.readings.cell_text import Line
from tui.widgets.painted import Painted
from tui.widgets.roles import ROLE_CLASSES, role_css


class Lines(Painted):
    """Lines that are pieces of text, each with its role. It is as high as its style says."""

    COMPONENT_CLASSES: ClassVar[set[str]] = set(ROLE_CLASSES)
    DEFAULT_CSS = role_css("Lines")
    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: Sequence[Line] = ()

    def show_lines(self, lines: Sequence[Line]) -> None:
        """Show lines; what does not fit is cut off."""
        if lines != self._lines:
            self._lines = lines
            self.refresh()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        line = self._lines[y] if y < len(self._lines) else ()
        strip = Strip(
            [Segment(text, self.get_component_rich_style(f"role--{role}")) for text, role in line]
        )
        return strip.adjust_cell_length(self.size.width, self.rich_style)
