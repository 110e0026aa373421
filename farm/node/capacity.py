"""Who may run on a node's cores now: batches take threads, first come, first served.

Several gateways may send to one node without knowing of each other; the node alone keeps
its bounds.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Lock

from farm.core.errors import NodeBusyError


@dataclass(slots=True, kw_only=True, eq=False)
class _Place:
    """A batch that asked for `threads`."""

    threads: int
    admitted: Event = field(default_factory=Event)


class Capacity:
    """`threads` that run at once, and `lookahead` batches that may wait for theirs."""

    def __init__(self, *, threads: int, lookahead: int) -> None:
        self._threads = threads
        self._lookahead = lookahead
        self._lock = Lock()
        self._free = threads
        self._running = 0
        self._waiting: deque[_Place] = deque()

    @property
    def running(self) -> int:
        """Batches that run now."""
        return self._running

    @contextmanager
    def held(self, threads: int, *, patient: bool = False) -> Iterator[None]:
        """Wait for `threads`, all of them at most, and hold them.

        A `patient` caller waits however many wait already.

        Raises:
            NodeBusyError: as many batches wait as may.
        """
        place = _Place(threads=min(threads, self._threads))
        with self._lock:
            self._waiting.append(place)
            self._admit()
            if not patient and len(self._waiting) > self._lookahead and self._waiting[-1] is place:
                self._waiting.pop()
                raise NodeBusyError(
                    f"the node is full: {self._lookahead} batches wait for its {self._threads}"
                    " threads already; try another node"
                )
        place.admitted.wait()
        try:
            yield
        finally:
            with self._lock:
                self._free += place.threads
                self._running -= 1
                self._admit()

    def _admit(self) -> None:
        """Let in whoever waited longest, for as long as the threads suffice.

        Nobody overtakes, or a batch of many threads would wait for ever.
        """
        while self._waiting and self._waiting[0].threads <= self._free:
            place = self._waiting.popleft()
            self._free -= place.threads
            self._running += 1
            place.admitted.set()
