"""Widgets that paint their lines by hand."""

from typing import cast

from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tui.top import Top


class Painted(Widget):
    """Says in its place why it cannot be painted, so that the rest of the screen goes on."""

    def render_lines(self, crop: Region) -> list[Strip]:
        try:
            return super().render_lines(crop)
        except Exception as error:
            told = cast(Top, self.app).defects.note(error)
            words = Strip([Segment(f" cannot be painted: {told}", self.rich_style)])
            lines = [words, *[Strip([])] * (crop.height - 1)]
            return [line.adjust_cell_length(crop.width, self.rich_style) for line in lines]
