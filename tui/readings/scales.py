"""Where the axis of a plot begins and ends."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

# Steps at which an axis may end, within a power of ten.
_STEPS: Final = (1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """An axis from `low` to `high`, which is more."""

    low: float
    high: float

    def place(self, value: float) -> float:
        """Return where a value lies: 0 at the low end, 1 at the high one."""
        return (value - self.low) / (self.high - self.low)


def from_zero(values: Iterable[float], *, least: float = 0.0) -> Scale:
    """Return an axis from nothing to a round number that no value exceeds.

    It ends at `least` or above, so that the noise of an idle machine is no mountain.
    """
    high = max(max(values, default=0.0), least)
    return Scale(low=0.0, high=_rounded_up(high) if high > 0 else 1.0)


def around(values: Sequence[float], *, least: float) -> Scale:
    """Return an axis of whole tens around some values, at least `least` long."""
    low = math.floor(min(values) / 10) * 10.0
    high = math.ceil(max(values) / 10) * 10.0
    return Scale(low=low, high=max(high, low + least))


def _rounded_up(value: float) -> float:
    size = 10.0 ** math.floor(math.log10(value))
    if not size:
        # The logarithm of the least floats is below the least power of ten.
        return value
    return next((step * size for step in _STEPS if step * size >= value), value)
