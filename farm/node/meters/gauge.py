"""What a meter's answers add up to over time: joules, and the seconds that they cover."""

from dataclasses import dataclass

from farm.node.meters.plausibility import Draw
from farm.node.meters.reading import Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Metered:
    """What a heartbeat says of a meter, as in `NodeVitals`."""

    meter: str = ""
    metered_j: float = 0.0
    metered_s: float = 0.0
    power_w: float | None = None
    meter_fault: str = ""


class Gauge:
    """Holds watts until the next answer or until they are too old, and adds them up.

    So a heartbeat between two answers finds everything counted up to its moment, and after the
    last answer of a meter that is lost nothing is counted any more. Where a counter tells
    afterwards how much it really was, that is what counts; joules that were told already are
    not taken back but not counted twice. Times are seconds of a clock that never falls.
    """

    def __init__(self) -> None:
        self._watts: float | None = None
        self._since = 0.0
        self._until = 0.0
        self._held_j = 0.0
        self._joules = 0.0
        self._told_j = 0.0
        self._seconds = 0.0
        self._fault = ""

    def draw(self, draw: Draw, now: float, *, fresh_s: float) -> None:
        """Take what is drawn now; it holds for `fresh_s`."""
        self._advance(now)
        if draw.counted_j is not None and self._watts is not None:
            self._joules += draw.counted_j - self._held_j
        self._watts = draw.watts
        self._since = now
        self._until = now + fresh_s
        self._held_j = 0.0
        self._fault = ""

    def fail(self, fault: Fault) -> None:
        """Note why there is no answer; the last one holds for as long as it is fresh."""
        self._fault = fault.text

    def tell(self, now: float) -> Metered:
        """Return what there is to tell at a moment."""
        self._advance(now)
        lost = self._watts is None and self._until > 0
        fault = self._fault or ("has told nothing for too long: check it" if lost else "")
        return Metered(
            metered_j=self._told_j,
            metered_s=self._seconds,
            power_w=self._watts,
            meter_fault="" if self._watts is not None else fault,
        )

    def _advance(self, now: float) -> None:
        if self._watts is None:
            return
        held_s = max(0.0, min(now, self._until) - self._since)
        self._seconds += held_s
        self._held_j += self._watts * held_s
        self._joules += self._watts * held_s
        self._told_j = max(self._told_j, self._joules)
        self._since += held_s
        if now >= self._until:
            self._watts = None
