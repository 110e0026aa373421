"""The last lines of a log, as they come."""

from collections import deque
from collections.abc import Callable
from threading import Event, Thread
from typing import Final, cast

from rich.text import Text
from textual.widgets import RichLog

from farm.core.errors import FarmError, UnsupportedError
from farm.core.histories import LogLine
from farm.core.text import printable
from tui.readings import quantities
from tui.sources.source import Lines, Operator
from tui.top import Top

# Lines that are kept: what can be scrolled through without becoming heavy.
KEPT: Final = 500
# Lines of the past that are asked for.
_PAST: Final = 100
# Characters of a line; longer ones are cut.
_LONGEST: Final = 500
_PAINT_S: Final = 0.25
_AGAIN_S: Final = 5.0
_CALM: Final = frozenset({"", "debug", "info"})


class LogTail(RichLog):
    """Follows a node's log from its first `follow` on until it is removed.

    It stays at the end of the log unless it is scrolled up.
    """

    def __init__(self, node_id: str, *, id: str | None = None) -> None:
        super().__init__(max_lines=KEPT, min_width=0, id=id)
        self._node_id = node_id
        # What the thread has read and is not painted yet; of a flood its end.
        self._read: deque[Text] = deque(maxlen=KEPT)
        self._left = Event()
        self._lines: Lines | None = None
        self._following = False
        self._said = ""

    def on_mount(self) -> None:
        self.set_interval(_PAINT_S, self._paint)

    def on_unmount(self) -> None:
        self._left.set()
        if self._lines is not None:
            self._lines.close()

    def follow(self, operator: Operator) -> None:
        """Show the log from now on."""
        if not self._following:
            self._following = True
            # Of its own: those that asyncio shares are few, and a log is followed for hours.
            Thread(
                target=self._follow, args=(operator, cast(Top, self.app).unix_ns), daemon=True
            ).start()

    def say(self, words: str) -> None:
        """Show something that the log does not say, unless it was said last."""
        if words != self._said:
            self._said = words
            self._read.append(Text(f"({printable(words, _LONGEST)})", style="italic"))

    def _follow(self, operator: Operator, unix_ns: Callable[[], int]) -> None:
        past = _PAST
        while not self._left.is_set():
            try:
                self._lines = operator.log(self._node_id, lines=past, follow=True)
                # Whoever leaves closes the lines that it sees.
                if self._left.is_set():
                    self._lines.close()
                for line in self._lines:
                    past, self._said = 0, ""
                    self._read.append(_text(line, unix_ns()))
                ended = "the log ended"
            except UnsupportedError:
                ended = "this gateway is of another version and tells no logs"
            except FarmError as error:
                ended = error.message
            except Exception as error:
                ended = f"what the gateway says cannot be understood: {error!r}"
            if not self._left.is_set():
                self.say(f"{ended}; trying again")
            self._left.wait(_AGAIN_S)

    def _paint(self) -> None:
        at_end = self.is_vertical_scroll_end
        while self._read:
            self.write(self._read.popleft(), scroll_end=at_end)


def _text(line: LogLine, now_unix_ns: int) -> Text:
    """Return a line for the terminal; one that is not calm stands out."""
    at = quantities.moment(line.unix_ns, now_unix_ns) if line.unix_ns else ""
    level = printable(line.level)
    words = " ".join(filter(None, (at, level, printable(line.text, _LONGEST))))
    return Text(words, style="" if level in _CALM else "bold", no_wrap=True)
