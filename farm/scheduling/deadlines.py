"""When which request runs out of time."""

import heapq
from collections.abc import Container


class DeadlineHeap:
    """Request ids by deadline. Those answered earlier are dropped when they surface."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int]] = []

    def push(self, at: float, request_id: int) -> None:
        heapq.heappush(self._heap, (at, request_id))

    def pop_due(self, now: float) -> int | None:
        """Take a request whose deadline has come, if there is one."""
        if self._heap and self._heap[0][0] <= now:
            return heapq.heappop(self._heap)[1]
        return None

    def earliest(self) -> float | None:
        return self._heap[0][0] if self._heap else None

    def compact(self, live: Container[int], count: int) -> None:
        """Forget requests that are not in `live` (of `count`) once they are the majority."""
        if len(self._heap) > 2 * count + 1024:
            self._heap = [item for item in self._heap if item[1] in live]
            heapq.heapify(self._heap)
