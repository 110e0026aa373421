"""Energy with its uncertainty and its origin, never one without the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class EnergySource(StrEnum):
    """Where a figure comes from. The three are never blurred."""

    MEASURED = "measured"
    MODELLED = "modelled"
    ASSUMED = "assumed"


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyReading:
    """Joules over a window of `window_s` seconds, with the band [low, high]."""

    joules: float
    low: float
    high: float
    source: EnergySource
    window_s: float

    def share(self, weights: Sequence[int]) -> tuple["EnergyReading", ...]:
        """Split the reading in proportion to `weights`, conserving its joules.

        Weights that are all zero share equally. The last share takes the rounding, so
        that the parts add up to the whole.
        """
        total = sum(weights)
        fractions = [weight / total if total else 1 / len(weights) for weight in weights]
        joules, low, high = (
            _conserving(value, fractions) for value in (self.joules, self.low, self.high)
        )
        return tuple(
            EnergyReading(joules=j, low=lo, high=hi, source=self.source, window_s=self.window_s)
            for j, lo, hi in zip(joules, low, high, strict=True)
        )


def _conserving(value: float, fractions: Sequence[float]) -> list[float]:
    parts = [value * fraction for fraction in fractions[:-1]]
    return [*parts, value - sum(parts)]
