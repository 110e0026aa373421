"""Virtual time: what happens when, in an order that depends on nothing else."""

import heapq
from collections.abc import Callable
from math import inf
from typing import Any

Action = Callable[[Any], None]


class Timeline:
    """A clock that jumps to whatever is planned next. `now` is in seconds from 0.

    Things planned for one instant happen in the order in which they were planned.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self._planned = 0
        self._heap: list[tuple[float, int, Action, Any]] = []

    def at(self, when: float, action: Action, argument: Any = None) -> None:
        """Plan `action(argument)` for a time that is not past."""
        self._planned += 1
        heapq.heappush(self._heap, (when, self._planned, action, argument))

    @property
    def next_at(self) -> float:
        """When something is planned next; infinite where nothing is."""
        return self._heap[0][0] if self._heap else inf

    def step(self) -> bool:
        """Go to the next instant and do all that is planned for it; False where nothing is."""
        heap = self._heap
        if not heap:
            return False
        now = self.now = heap[0][0]
        while heap and heap[0][0] == now:
            _, _, action, argument = heapq.heappop(heap)
            action(argument)
        return True
