"""What a farm's operator says of money and of the grid, as a report needs it."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True, kw_only=True)
class FxRate:
    """What one unit of `sold` is worth in `bought` on a day, and who says so."""

    sold: str
    bought: str
    rate: float
    day: date
    source: str

    def age_days(self, today: date) -> int:
        """Return how old it is; less than 0 if its day is yet to come."""
        return (today - self.day).days

    def said(self, today: date) -> str:
        """Return it in words, with its age, to be shown beside what it converted."""
        age = self.age_days(today)
        days = f"{age} day{'s' * (age != 1)} old" if age >= 0 else "of a day to come"
        return (
            f"1 {self.sold} = {self.rate:g} {self.bought} on {self.day.isoformat()}"
            f" ({days}; {self.source})"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FarmTerms:
    """The terms under which a farm runs; money is in `currency`, and None is unknown.

    `price_per_kwh` is the average over the time that was asked about. `capital_per_s` is what a
    second of all boards costs that have a price; `unpriced_hosts` have none. `embodied_g_per_s`
    is greenhouse gas of their making likewise, and `overhead_w` what no host's meter sees.
    `grid_source` says who tells the grid's intensity. `fx` are the operator's rates.
    """

    nodes: int = 0
    currency: str | None = None
    price_per_kwh: float | None = None
    capital_per_s: float | None = None
    unpriced_hosts: tuple[str, ...] = ()
    overhead_w: float = 0.0
    grid_gco2e_per_kwh: float | None = None
    grid_source: str = ""
    embodied_g_per_s: float | None = None
    untold_hosts: tuple[str, ...] = ()
    fx: tuple[FxRate, ...] = ()
