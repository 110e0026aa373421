"""The farm in a few figures, over the table of nodes."""

from tui.glyphs import Glyphs
from tui.readings.headline import headline
from tui.readings.reading import Reading
from tui.widgets.lines import Lines
from tui.widgets.roles import role_css

# Narrower than this the figures take a line more.
_WIDE = 150


class HeadLine(Lines):
    """Shows what the farm does, draws and costs."""

    DEFAULT_CSS = """
        HeadLine { height: 3; padding: 0 1; }
        HeadLine.-wide { height: 2; }
        """ + role_css("HeadLine")

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._glyphs = glyphs

    def show(self, reading: Reading | None) -> None:
        """Show a reading, or that there is none yet."""
        width = self.app.size.width - 2
        wide = width >= _WIDE
        self.set_class(wide, "-wide")
        self.show_lines(headline(reading, self._glyphs, width=width, lines=2 if wide else 3))
