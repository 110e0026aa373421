"""What goes wrong in the screen itself: it goes on, says so, and keeps what mends it."""

import traceback
from typing import Final

from farm.core.text import printable

# Different ones that are kept; whoever mends a screen needs the first of them.
_KEPT: Final = 20
# Characters of an error in words.
_LONGEST: Final = 200
_LONGEST_LINE: Final = 1_000


class Defects:
    """Errors that nobody foresaw, each once, with the traceback that is told after the end.

    `unread` is why what came last from the farm is not shown, "" where it is.
    """

    def __init__(self) -> None:
        self.unread = ""
        self._tracebacks: dict[str, None] = {}

    def note(self, error: Exception) -> str:
        """Keep an error, and return it in words for a screen."""
        if len(self._tracebacks) < _KEPT:
            lines = "".join(traceback.format_exception(error)).splitlines()
            told = "\n".join(printable(line, _LONGEST_LINE) for line in lines)
            self._tracebacks[told] = None
        return printable(f"{type(error).__name__}: {error}", _LONGEST)

    def report(self) -> str:
        """Return what is to be told once the terminal is free; "" where nothing went wrong."""
        if not self._tracebacks:
            return ""
        return "farm: the screen had a defect; please report it with this:\n\n" + "\n\n".join(
            [*self._tracebacks, ""]
        )
