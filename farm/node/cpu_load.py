"""How busy this machine's cores are."""

from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import Final

import psutil

# The kernel counts in steps of 10 ms a core: over less than this the load would be mostly noise.
_LEAST_S: Final = 0.2


class CpuLoad:
    """The load of all cores since it was last asked for.

    `psutil.cpu_percent` remembers that for each thread by itself and tells 0 to one that asks for
    the first time, whatever goes on; heartbeats come from more than one thread, and during a
    handover to more than one gateway.
    """

    def __init__(
        self,
        *,
        times: Callable[[], tuple[float, float]] | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._times = times or _busy_and_all
        self._clock = clock
        self._reading = Lock()
        self._since = clock()
        self._busy_s, self._all_s = self._times()
        self._fraction: float | None = None

    def read(self) -> float:
        """Return the load, 0 to 1; who asks again at once is told the same."""
        with self._reading:
            now = self._clock()
            if self._fraction is not None and now - self._since < _LEAST_S:
                return self._fraction
            busy_s, all_s = self._times()
            passed_s = all_s - self._all_s
            fraction = (busy_s - self._busy_s) / passed_s if passed_s > 0 else 0.0
            self._since, self._busy_s, self._all_s = now, busy_s, all_s
            self._fraction = min(max(fraction, 0.0), 1.0)
            return self._fraction


def _busy_and_all() -> tuple[float, float]:
    """Return the seconds that cores were busy, and busy or idle, since the machine started."""
    times = psutil.cpu_times()
    # A guest's time is in its host's already.
    whole = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    return whole - times.idle - getattr(times, "iowait", 0.0), whole
