"""All that the screen knows now, however it came."""

from collections import deque
from typing import Final

from farm.core.events import FarmEvent
from tui.readings.reading import Reader, Reading
from tui.sources.source import EventsCame, LinkChanged, LinkState, Playhead, SnapshotCame, Update

# Events that are kept: some megabytes.
_MAX_EVENTS: Final = 10_000
# Snapshots come every second; three that stay out are no hiccup.
STALE_S: Final = 3.5


class Store:
    """The latest reading, link, events and playhead. Times are seconds of a clock of its caller."""

    def __init__(self) -> None:
        self.reading: Reading | None = None
        self.link = LinkChanged(state=LinkState.CONNECTING)
        self.events: deque[FarmEvent] = deque(maxlen=_MAX_EVENTS)
        self.missed_events = 0
        self.playhead: Playhead | None = None
        self._reader = Reader()
        self._read_at = 0.0

    def take(self, update: Update, now: float) -> None:
        """Take what a source told at a moment."""
        match update:
            case SnapshotCame(snapshot=snapshot):
                self.reading, self._read_at = self._reader.read(snapshot), now
            case EventsCame(events=events, missed=missed):
                self.events.extend(events)
                self.missed_events += missed
            case LinkChanged():
                self.link = update
            case Playhead(at_unix_ns=at_unix_ns):
                if self.playhead is not None and at_unix_ns < self.playhead.at_unix_ns:
                    self._wind_back(at_unix_ns)
                self.playhead = update

    def _wind_back(self, unix_ns: int) -> None:
        """Forget what a recording told of a time that is to come again."""
        self._reader = Reader()
        while self.events and self.events[-1].unix_ns > unix_ns:
            self.events.pop()

    def age_s(self, now: float) -> float | None:
        """Return how old the reading is, None where there is none yet."""
        return None if self.reading is None else now - self._read_at

    def stale(self, now: float) -> bool:
        """Whether what is shown may not be so any more: it is greyed, with its age."""
        if self.reading is None or self.link.state is LinkState.ENDED:
            return False
        if self.playhead is not None and self.playhead.paused:
            return False
        return self.link.state is LinkState.DOWN or now - self._read_at > STALE_S
