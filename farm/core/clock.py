"""Time as an argument: logic asks a `Clock`, never the operating system."""

import time
from typing import Protocol


class Clock(Protocol):
    """Two readings of time. The gateway has `SystemClock`, tests their own."""

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back; only differences mean anything."""
        ...

    def unix_ns(self) -> int:
        """Return nanoseconds since the epoch, for people and records only."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def monotonic(self) -> float:
        return time.monotonic()

    def unix_ns(self) -> int:
        return time.time_ns()
