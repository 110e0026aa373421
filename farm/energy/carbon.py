"""Greenhouse gas by the SCI specification of the Green Software Foundation: (E x I + M) per R.

E are the joules, idle ones that are reserved for the work included; I is the grid's intensity,
which depends on place and time and is never guessed; M is the share of what making the boards
emitted; R are requests.
"""

from dataclasses import dataclass

from farm.core.energy import Band
from farm.energy.economics import YEAR_S
from farm.energy.tariff import J_PER_KWH


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """What a kilowatt-hour emits, in grams of CO2 and its like, and who says so."""

    gco2e_per_kwh: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Carbon:
    """Grams of CO2 and its like: of the energy, and of making what used it.

    A part that nobody told enough of is None: the sum is then of the other alone, and says so.
    """

    operational_g: Band | None
    embodied_g: float | None
    requests: float

    @property
    def total_g(self) -> Band | None:
        """All that is known; None where nothing is."""
        if self.operational_g is None and self.embodied_g is None:
            return None
        return (self.operational_g or Band.exactly(0.0)) + Band.exactly(self.embodied_g or 0.0)

    @property
    def per_request_g(self) -> Band | None:
        """The SCI score; None where nothing is known or nothing was asked."""
        total = self.total_g
        return None if total is None or not self.requests else total.times(1 / self.requests)

    @property
    def lacks(self) -> str:
        """What is missing in the sum, in words; empty where it is whole."""
        missing = []
        if self.operational_g is None:
            missing.append("energy, for want of the grid's gCO2e per kWh")
        if self.embodied_g is None:
            missing.append("making the boards, for want of their embodied kgCO2e")
        return " and ".join(missing)


def carbon(
    energy_j: Band, *, grid: Grid | None, embodied_g: float | None, requests: float
) -> Carbon:
    """Return what joules of some requests emitted, and their share of the boards' making."""
    operational = None if grid is None else energy_j.times(grid.gco2e_per_kwh / J_PER_KWH)
    return Carbon(operational_g=operational, embodied_g=embodied_g, requests=requests)


def embodied_g(embodied_kgco2e: float, *, lifetime_years: float, seconds: float) -> float:
    """Return the grams of a board's making that fall to some seconds of its lifetime."""
    return embodied_kgco2e * 1000 * seconds / (lifetime_years * YEAR_S)
