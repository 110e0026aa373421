"""What a farm's operator says of its nodes' power and of money."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from farm.core.energy import Band, EnergySource
from farm.energy.joules import Joules

YEAR_S: Final = 365.25 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class HostEconomics:
    """One host: its board and what it costs to have.

    `host` is what the farm calls the machine, or "" for what it calls itself: many a Pi calls
    itself raspberrypi. `board` is an id such as "rpi5-8gb", or "" for what the host says that it
    is. `price` and `embodied_kgco2e` (greenhouse gas of making it) are spread over
    `lifetime_years`. `meter_max_w` is what its meter may tell at most, where somebody said so.
    """

    host: str = ""
    board: str = ""
    price: float | None = None
    lifetime_years: float = 4.0
    embodied_kgco2e: float | None = None
    meter_max_w: float | None = None
    serves: bool = True

    @property
    def capital_per_s(self) -> float | None:
        """What a second of it costs, used or not; None where it has no price."""
        return None if self.price is None else self.price / (self.lifetime_years * YEAR_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Economics:
    """Of a whole farm; money is in `currency`.

    `tariff` returns the price of a joule at a moment of the calendar (Unix seconds).
    `overhead_w` is what no host's meter sees, such as a switch.
    """

    currency: str | None = None
    tariff: Callable[[float], float] | None = None
    overhead_w: float = 0.0
    hosts: Mapping[str, HostEconomics] = field(default_factory=dict)

    def overhead(self, seconds: float) -> Joules:
        """Return the joules of what no meter sees; the operator's word is an assumption."""
        return Joules.of(Band.exactly(self.overhead_w * seconds), EnergySource.ASSUMED)
