"""Whether what a meter says can be true of a machine that runs."""

from dataclasses import dataclass
from typing import Final

from farm.node.meters.cross_check import CrossCheck
from farm.node.meters.reading import Fault, Reading

# The smallest board idles at 0.6 W (Zero 2 W, cnx-software.com, 2021-12).
_LEAST_W: Final = 0.1

# A clock may be set back, or be a tick late.
_STUCK_S: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """What is drawn now, and how many joules were counted since the last answer, if any."""

    watts: float
    counted_j: float | None = None


class Plausibility:
    """Judges the answers of one meter, each by those before it.

    `max_w` is what the host can draw at most; `gap_s` is more than passes between two answers
    of a meter that is well. Times are seconds of a clock that never falls.
    """

    def __init__(self, max_w: float, *, gap_s: float) -> None:
        self._max_w = max_w
        self._counted: tuple[float, float] | None = None
        self._tick: tuple[str, float] = ("", 0.0)
        self._cross_check = CrossCheck(gap_s)

    def judge(self, reading: Reading, now: float) -> Draw | Fault | None:
        """Return what to believe; None where it takes one more answer to tell."""
        if self._is_stuck(reading, now):
            return Fault("repeats an old answer, for its own clock stands still: restart it")
        if reading.watts is None:
            return self._by_counter(reading, now)
        if fault := self._refuse(reading.watts):
            return fault
        if reading.counted_j is not None:
            self._cross_check.note(reading.watts, reading.counted_j, now)
            if not self._cross_check.agrees:
                return Fault(
                    "contradicts itself, for its watts and its energy counter differ by more than"
                    " a factor of 2: restart it, ask it more often (`interval_s`), or use another"
                )
        return Draw(watts=reading.watts)

    def _is_stuck(self, reading: Reading, now: float) -> bool:
        tick, since = self._tick
        if not reading.tick or reading.tick != tick:
            self._tick = (reading.tick, now)
            return False
        return now - since > reading.tick_s + _STUCK_S

    def _by_counter(self, reading: Reading, now: float) -> Draw | Fault | None:
        """Judge an answer that has a counter alone, by its slope."""
        last = self._counted
        if reading.counted_j is None:
            return Fault("tells neither watts nor joules: check its type")
        self._counted = (reading.counted_j, now)
        if last is None or now <= last[1]:
            return None
        advance_j = reading.counted_j - last[0]
        watts = advance_j / (now - last[1])
        return self._refuse(watts) or Draw(watts=watts, counted_j=advance_j)

    def _refuse(self, watts: float) -> Fault | None:
        if watts < 0:
            return Fault(
                f"tells {watts:.4g} W, and no machine gives power back: turn the sensor or the"
                " clamp round"
            )
        if watts < _LEAST_W:
            return Fault(
                f"tells {watts:.4g} W, less than any machine that runs: check the channel, and"
                " that the host hangs on it and the unit is watts"
            )
        if watts > self._max_w:
            return Fault(
                f"tells {watts:.4g} W, more than the {self._max_w:g} W that the host can draw:"
                " check that the unit is watts and that nothing else hangs on it"
            )
        return None
