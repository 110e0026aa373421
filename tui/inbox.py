"""What a source told since the last frame."""

from collections import deque
from threading import Lock
from typing import Final

from farm.core.events import FarmEvent
from tui.sources.source import EventsCame, Jumped, LinkChanged, Playhead, SnapshotCame, Update
from tui.store import MAX_EVENTS

# More than a screen can show of one frame.
MAX_SNAPSHOTS: Final = 120


class Inbox:
    """Updates that wait for a frame, put there by any thread; bounded, however many come.

    Of what only counts as it is now, the latest is kept. Events that find no room are missed,
    the oldest first, and counted. What waits when a recording jumps is of another time.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._latest: dict[type[Update], Update] = {}
        self._snapshots: deque[SnapshotCame] = deque(maxlen=MAX_SNAPSHOTS)
        self._events: deque[FarmEvent] = deque(maxlen=MAX_EVENTS)
        self._missed = 0

    def put(self, update: Update) -> None:
        """Add an update."""
        with self._lock:
            match update:
                case SnapshotCame():
                    self._snapshots.append(update)
                case EventsCame(events=events, missed=missed):
                    room = MAX_EVENTS - len(self._events)
                    self._missed += missed + max(len(events) - room, 0)
                    self._events.extend(events)
                case Jumped():
                    self._forget()
                    self._latest[Jumped] = update
                case LinkChanged() | Playhead():
                    self._latest[type(update)] = update

    def take(self) -> list[Update]:
        """Return what has come, and forget it."""
        with self._lock:
            updates: list[Update] = [*self._latest.values(), *self._snapshots]
            if self._events or self._missed:
                updates.append(EventsCame(events=tuple(self._events), missed=self._missed))
            self._latest.clear()
            self._forget()
            return updates

    def _forget(self) -> None:
        self._snapshots.clear()
        self._events.clear()
        self._missed = 0
