"""The last lines of a log."""

from collections.abc import Sequence
from typing import Final

from rich.text import Text
from textual.widgets import RichLog

from farm.core.histories import LogLine
from farm.core.text import printable
from tui.readings import quantities
from tui.readings.tails import KEPT, Tail

# Characters of a line; longer ones are cut.
_LONGEST: Final = 500
_CALM: Final = frozenset({"debug", "info"})


class LogTail(RichLog):
    """Shows the lines of a tail as they come, and stays at its end unless it is scrolled up."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(max_lines=KEPT, min_width=0, id=id)
        self.tail = Tail()
        self._trouble = ""

    def take(self, told: Sequence[LogLine]) -> None:
        """Show what is new at the end of the log."""
        self._trouble = ""
        new = self.tail.take(told)
        at_end = self.is_vertical_scroll_end
        if new.cut:
            self.write(Text("(lines that came too fast are missing here)"), scroll_end=at_end)
        for line in new.lines:
            self.write(_text(line), scroll_end=at_end)

    def say(self, trouble: str) -> None:
        """Show why no lines come, once."""
        if trouble != self._trouble:
            self._trouble = trouble
            self.write(Text(f"({printable(trouble, _LONGEST)})", style="italic"))


def _text(line: LogLine) -> Text:
    """Return a line for the terminal; one that is not calm stands out."""
    level = printable(line.level)
    style = "" if level in _CALM else "bold"
    words = f"{quantities.clock_time(line.unix_ns)} {level:<7} {printable(line.text, _LONGEST)}"
    return Text(words, style=style, no_wrap=True)
