"""Whether a request takes a slow node that is free, or waits for a quicker one that is busy.

A Pi 5 does in 16 ms what takes a Pi 3 160 ms. With all Pi 5s busy, a request is done sooner
if it waits a few milliseconds for one than if it takes the Pi 3 that is free. But one that
takes the Pi 3 lets everybody behind it move up, so where enough requests wait, or come, the
slow node must work too. The rule is the fluid limit of the slow-server problem (Lin and
Kumar, "Optimal control of a queueing system with two heterogeneous servers", 1984): use the
slow node when what it saves the others for the rest of the busy period is more than what
it costs this request.
"""

from dataclasses import dataclass
from math import exp

# Waiting must save this share: noise in the curves must not leave nodes idle.
_NOTICEABLE = 0.2

# Over how many seconds arrivals are averaged.
_MEMORY_S = 1.0


class Demand:
    """Rows per second that arrive for one model, over about the last second."""

    __slots__ = ("_at", "_rows")

    def __init__(self) -> None:
        self._rows = 0.0
        self._at = 0.0

    def add(self, rows: int, now: float) -> None:
        """Count rows that arrive."""
        self._rows = self._rows * exp((self._at - now) / _MEMORY_S) + rows
        self._at = now

    def rows_per_s(self, now: float) -> float:
        """Return the present rate."""
        return self._rows * exp((self._at - now) / _MEMORY_S) / _MEMORY_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The best that a request can have now, and what it would wait for.

    Placed now, it is done in `now_s`; if it waits for the quicker node that is free first,
    in `later_s`. Nodes that are quicker than what it can have now do `rate` rows per second
    together; `waiting` rows are queued for them, its own among them, and `demand` rows per
    second arrive.
    """

    now_s: float
    later_s: float
    rate: float
    waiting: int
    demand: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A request waits until `until`, or until `crowd` rows are queued with it."""

    until: float
    crowd: float


def hold(choice: Choice, *, arrived_at: float, deadline: float | None, now: float) -> Hold | None:
    """Return how long a request waits for a quicker node; None if it goes at once.

    It never waits longer than the slow node would take, so a promise that is not kept costs
    no more than that, and not at all where waiting would risk its deadline.
    """
    saved_s = choice.now_s - choice.later_s
    if saved_s <= choice.now_s * _NOTICEABLE:
        return None
    # Everyone who is served in the rest of the busy period moves up by one turn.
    crowd = saved_s * choice.rate * (1 - min(choice.demand / choice.rate, 1.0))
    until = min(now + saved_s, arrived_at + choice.now_s)
    if choice.waiting >= crowd or until <= now:
        return None
    if deadline is not None and until + choice.now_s > deadline:
        return None
    return Hold(until=until, crowd=crowd)
