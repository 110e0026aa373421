"""When to look at which node again, whatever else happens."""

import heapq
from math import inf


class Alarms:
    """Times at which nodes want to be looked at. Setting one costs O(log n).

    An alarm is a reminder, not a promise: it may come for a node that has no need of it any
    more, and it comes once.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, str]] = []

    def set(self, at: float, node_id: str) -> None:
        """Look at a node when `at` has come."""
        heapq.heappush(self._heap, (at, node_id))

    def earliest(self) -> float:
        """Return the time of the first alarm, or infinity."""
        return self._heap[0][0] if self._heap else inf

    def due(self, now: float) -> list[str]:
        """Take the alarms whose time has come; return their nodes, each once."""
        found: dict[str, None] = {}
        while self._heap and self._heap[0][0] <= now:
            found[heapq.heappop(self._heap)[1]] = None
        return list(found)
