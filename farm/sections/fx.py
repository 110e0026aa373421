"""Money of one currency in another, by the operator's word."""

from datetime import date
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from farm.core.terms import FxRate
from farm.energy.fx import Exchange, fx_problem
from farm.sections.section import Section
from farm.sections.words import Currency, Said


def _day(value: object) -> object:
    # YAML has dates of its own; a number would be taken for seconds since 1970.
    if type(value) is date:
        return value
    try:
        return date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError("must be a date like 2026-11-01") from None


Day = Annotated[date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]


class FxEntry(Section):
    """What one unit of a currency is worth in another one on a day."""

    sold: Annotated[Currency, Field(alias="from")]
    bought: Annotated[Currency, Field(alias="to")]
    rate: Annotated[float, Field(gt=0, allow_inf_nan=False, description="of `to` for one `from`")]
    day: Annotated[Day, Field(alias="date")]
    source: Annotated[Said, Field(description="where the rate was read")]

    def fx_rate(self) -> FxRate:
        return FxRate(
            sold=self.sold, bought=self.bought, rate=self.rate, day=self.day, source=self.source
        )


def exchange(entries: tuple[FxEntry, ...]) -> Exchange:
    """Return the rates by which amounts are converted."""
    return Exchange(rates=tuple(entry.fx_rate() for entry in entries))


def _usable(entries: tuple[FxEntry, ...]) -> tuple[FxEntry, ...]:
    if problem := fx_problem(exchange(entries).rates):
        raise ValueError(problem)
    return entries


FxEntries = Annotated[tuple[FxEntry, ...], AfterValidator(_usable)]
