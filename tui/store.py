"""All that the screen knows now, however it came."""

from collections import deque
from typing import Final

from farm.core.events import FarmEvent
from tui.readings.reading import Reader, Reading
from tui.sources.source import (
    EventsCame,
    Jumped,
    LinkChanged,
    LinkState,
    Playhead,
    SnapshotCame,
    Update,
)

# Events that are kept: some megabytes.
MAX_EVENTS: Final = 10_000
# Snapshots come every second; three that stay out are no hiccup.
STALE_S: Final = 3.5


class Store:
    """The latest reading, link, events and playhead. Times are seconds of a clock of its caller."""

    def __init__(self) -> None:
        self.reading: Reading | None = None
        self.link = LinkChanged(state=LinkState.CONNECTING)
        self.events: deque[FarmEvent] = deque(maxlen=MAX_EVENTS)
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
            case Playhead():
                self.playhead = update
            case Jumped():
                self.reading, self._reader = None, Reader()
                self.events.clear()
                self.missed_events = 0

    def age_s(self, now: float) -> float | None:
        """Return how old the reading is, None where there is none yet."""
        return None if self.reading is None else now - self._read_at

    def stale(self, now: float) -> bool:
        """Whether what is shown may not be so any more: it is greyed, with its age.

        In a recording time runs as it is played: its source says where there is nothing, and
        while it seeks what leads to another moment.
        """
        age_s = self.age_s(now)
        if age_s is None:
            return False
        late = self.playhead is None and age_s > STALE_S
        return late or self.link.state in {LinkState.CONNECTING, LinkState.DOWN}
