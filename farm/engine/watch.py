"""What a gateway remembers of its farm: what changed is an event, and all of it is history."""

from farm.core.changes import changes
from farm.core.snapshots import FarmSnapshot
from farm.engine.events import EventLog
from farm.engine.history import History


class Watch:
    """Keeps events and history up to date with the farm."""

    def __init__(self, *, events: EventLog, history: History) -> None:
        self._events = events
        self._history = history
        self._before: FarmSnapshot | None = None

    def take(self, snapshot: FarmSnapshot) -> None:
        """Keep what a snapshot says; one about every second, or more often."""
        for happening in changes(self._before, snapshot):
            self._events.post(happening)
        self._history.take(snapshot)
        self._before = snapshot
