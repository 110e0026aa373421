"""Energy and power with their uncertainty and their origin, never one without the others."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class EnergySource(StrEnum):
    """Where a figure comes from, the most trustworthy first. The three are never blurred."""

    MEASURED = "measured"
    MODELLED = "modelled"
    ASSUMED = "assumed"


_TRUST: Mapping[EnergySource, int] = {source: rank for rank, source in enumerate(EnergySource)}


def weakest(sources: Iterable[EnergySource]) -> EnergySource:
    """Return the least trustworthy of some sources: a sum is worth no more than that."""
    return max(sources, key=_TRUST.__getitem__, default=EnergySource.ASSUMED)


@dataclass(frozen=True, slots=True)
class Band:
    """A quantity between two bounds: `low` <= `typical` <= `high`."""

    low: float
    typical: float
    high: float

    @classmethod
    def exactly(cls, value: float) -> Self:
        """Return a quantity that is known."""
        return cls(value, value, value)

    def __add__(self, other: "Band") -> "Band":
        return Band(self.low + other.low, self.typical + other.typical, self.high + other.high)

    def times(self, factor: float) -> "Band":
        """Return it scaled by a factor that is not negative."""
        return Band(self.low * factor, self.typical * factor, self.high * factor)


NOTHING = Band(0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Power:
    """Watts at one moment, and where they come from."""

    watts: Band
    source: EnergySource


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyReading:
    """Joules over a window of `window_s` seconds, with the band [low, high]."""

    joules: float
    low: float
    high: float
    source: EnergySource
    window_s: float

    @property
    def band(self) -> Band:
        """The joules and their bounds."""
        return Band(self.low, self.joules, self.high)

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
