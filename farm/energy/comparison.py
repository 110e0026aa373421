"""A farm beside one baseline: what the same requests would have cost there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from farm.core.energy import EnergySource, weakest
from farm.core.terms import FxRate
from farm.energy.baselines import Baseline, BaselinePrice, Unpriced, price, total_price
from farm.energy.break_even import BreakEven, break_even
from farm.energy.figures import REQUESTS, SHARE, Figure
from farm.energy.fx import Exchange
from farm.energy.operation import Operation
from farm.energy.pricing_rules import DAY_S

# Lines that can be told apart in one chart, beside that of the farm.
_FEW: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A baseline's price for a farm's requests, and what is saved against it.

    `in_farm_currency` is the price of all of them; None where no dated rate of the operator
    converts it. `fx` is the rate that did. `source` is the weakest of what both sides rest on.
    """

    baseline: Baseline
    today: date
    price: BaselinePrice
    farm_cost: float | None
    currency: str
    in_farm_currency: float | None
    fx: FxRate | None
    break_even: BreakEven | None
    source: EnergySource

    @property
    def saved(self) -> float | None:
        """What the farm saved, less than 0 where it was dearer; None where nothing is claimed."""
        if self.farm_cost is None or self.in_farm_currency is None:
            return None
        return self.in_farm_currency - self.farm_cost

    @property
    def unsaved(self) -> str:
        """Why no saving is claimed; empty where one is."""
        if self.farm_cost is None:
            return "no saving is claimed: what the farm cost is not known"
        if self.in_farm_currency is None:
            return (
                f"no saving is claimed: the prices there are in {self.price.currency}, the"
                f" farm's in {self.currency}, and power.fx has no dated rate between them"
            )
        return ""

    @property
    def figures(self) -> tuple[Figure, ...]:
        """The comparison in figures."""
        saved, whole = self.saved, self.in_farm_currency
        per_1000 = 1000 / self.price.requests
        return (
            Figure(
                key="price_per_1000",
                label="1,000 requests there",
                value=self.price.per_1000,
                unit=self.price.currency,
                source=self.source,
            ),
            Figure(
                key="converted_per_1000",
                label="in the farm's currency",
                value=None if whole is None else whole * per_1000,
                unit=self.currency,
                source=self.source,
                note=self.fx.said(self.today) if self.fx is not None else "",
            ),
            self._saved(
                "saved_per_1000", "saved on 1,000", None if saved is None else saved * per_1000
            ),
            self._saved("saved", "saved in this time", saved),
            Figure(
                key="saved_share",
                label="saved, of the price there",
                value=None if saved is None or not whole else saved / whole,
                unit=SHARE,
                source=self.source,
                note=self.unsaved,
            ),
            Figure(
                key="break_even_per_day",
                label="break-even requests a day",
                value=self._cheaper_from(),
                unit=REQUESTS,
                source=weakest((self.source, EnergySource.MODELLED)),
                note=self.unsaved or "the farm's capacity is not known"
                if self.break_even is None
                else self.break_even.said,
            ),
        )

    def figure(self, key: str) -> Figure:
        """Return one of its figures."""
        return next(figure for figure in self.figures if figure.key == key)

    def _saved(self, key: str, label: str, value: float | None) -> Figure:
        return Figure(
            key=key,
            label=label,
            value=value,
            unit=self.currency,
            source=self.source,
            note=self.unsaved,
        )

    def _cheaper_from(self) -> float | None:
        """Return from how many requests a day on the farm is the cheaper one; None: never."""
        if self.break_even is None or self.break_even.never:
            return None
        return 0.0 if self.break_even.always else self.break_even.cheaper[0][0]


def compare(baseline: Baseline, operation: Operation, today: date) -> Comparison | Unpriced:
    """Return a farm beside a baseline, or why that has no price for its requests."""
    asked = price(baseline, operation.workload)
    if isinstance(asked, Unpriced):
        return asked
    currency = operation.terms.currency or ""
    exchange = Exchange(rates=operation.terms.fx)
    speed = baseline.speed
    return Comparison(
        baseline=baseline,
        today=today,
        price=asked,
        farm_cost=operation.cost,
        currency=currency,
        in_farm_currency=exchange.convert(asked.total, asked.currency, currency),
        fx=None if asked.currency == currency else exchange.rate(asked.currency, currency),
        break_even=_break_even(baseline, operation, exchange),
        source=weakest((operation.source, EnergySource.ASSUMED if speed is None else speed.basis)),
    )


def representatives(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Return a few, the cheapest first: where there are many the cheapest of each way of pricing.

    Services of one way of pricing differ little in what they show of a farm.
    """
    ranked = sorted(
        comparisons,
        key=lambda each: (
            each.price.total if each.in_farm_currency is None else each.in_farm_currency
        ),
    )
    if len(ranked) <= _FEW:
        return ranked
    cheapest: dict[type, Comparison] = {}
    for each in ranked:
        cheapest.setdefault(type(each.baseline.rule), each)
    return list(cheapest.values())[:_FEW]


def _break_even(baseline: Baseline, operation: Operation, exchange: Exchange) -> BreakEven | None:
    farm_cost = operation.farm_cost
    if farm_cost is None:
        return None
    work = operation.workload

    def per_day(requests: float) -> float | None:
        asked = total_price(baseline, work.at(requests, DAY_S))
        if asked is None:
            return None
        return exchange.convert(asked, baseline.currency, operation.terms.currency or "")

    return break_even(farm_cost, per_day)
