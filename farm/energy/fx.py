"""Money of one currency in another: by a dated rate of the operator's, or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from farm.core.currencies import currency_problem
from farm.core.terms import FxRate


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """The operator's rates. A pair may have several days; the newest counts."""

    rates: tuple[FxRate, ...] = ()

    def rate(self, sold: str, bought: str) -> FxRate | None:
        """Return the rate by which to convert; None where the operator gave none.

        An entry serves both ways, but two entries are never chained.
        """
        either = [rate for rate in self.rates if {rate.sold, rate.bought} == {sold, bought}]
        return max(either, key=lambda rate: (rate.day, rate.sold == sold), default=None)

    def convert(self, amount: float, sold: str, bought: str) -> float | None:
        """Return an amount in another currency; None where there is no rate."""
        if sold == bought:
            return amount
        rate = self.rate(sold, bought)
        if rate is None:
            return None
        return amount * rate.rate if rate.sold == sold else amount / rate.rate


def fx_problem(rates: Sequence[FxRate]) -> str | None:
    """Return why these rates cannot be used, or None if they can.

    A day to come is no reason: a Pi's clock may be in the past when it boots.
    """
    seen = set[tuple[str, str, date]]()
    for rate in rates:
        pair = f"fx {rate.sold} to {rate.bought}"
        if problem := currency_problem(rate.sold) or currency_problem(rate.bought):
            return f"{pair}: {problem}"
        if rate.sold == rate.bought:
            return f"{pair}: a currency is converted into another one"
        if not 0 < rate.rate < float("inf"):
            return f"{pair}: rate is {rate.rate:g} and must be above 0"
        if not rate.source.strip():
            return f"{pair}: say in source where the rate is from"
        key = (rate.sold, rate.bought, rate.day)
        if key in seen:
            return f"{pair}: there are two rates of {rate.day.isoformat()}"
        seen.add(key)
    return None
