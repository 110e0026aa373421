"""Energy and power with their uncertainty and their origin, never one without the others."""

from collections.abc import Iterable, Mapping
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

    def part(self, share: float) -> "EnergyReading":
        """Return a share of it, from 0 to 1."""
        return EnergyReading(
            joules=self.joules * share,
            low=self.low * share,
            high=self.high * share,
            source=self.source,
            window_s=self.window_s,
        )
