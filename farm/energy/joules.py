"""Joules by where their figure comes from."""

from dataclasses import dataclass

from farm.core.energy import NOTHING, Band, EnergyReading, EnergySource, weakest


@dataclass(frozen=True, slots=True, kw_only=True)
class Joules:
    """Joules with their band, and how many of the typical ones come from which source."""

    band: Band = NOTHING
    measured: float = 0.0
    modelled: float = 0.0
    assumed: float = 0.0

    @classmethod
    def of(cls, band: Band, source: EnergySource) -> "Joules":
        """Return joules that are all of one source."""
        return cls(band=band, **{source.value: band.typical})

    @property
    def typical(self) -> float:
        return self.band.typical

    @property
    def source(self) -> EnergySource:
        """The weakest source that any of them has."""
        parts = {
            EnergySource.MEASURED: self.measured,
            EnergySource.MODELLED: self.modelled,
            EnergySource.ASSUMED: self.assumed,
        }
        return weakest(source for source, joules in parts.items() if joules)

    def __add__(self, other: "Joules") -> "Joules":
        return Joules(
            band=self.band + other.band,
            measured=self.measured + other.measured,
            modelled=self.modelled + other.modelled,
            assumed=self.assumed + other.assumed,
        )

    def times(self, factor: float) -> "Joules":
        """Return so much of them; `factor` is not negative."""
        return Joules(
            band=self.band.times(factor),
            measured=self.measured * factor,
            modelled=self.modelled * factor,
            assumed=self.assumed * factor,
        )

    def reading(self, window_s: float) -> EnergyReading:
        """Return them as a reading over so many seconds."""
        band = self.band
        return EnergyReading(
            joules=band.typical, low=band.low, high=band.high, source=self.source, window_s=window_s
        )


NO_JOULES = Joules()
