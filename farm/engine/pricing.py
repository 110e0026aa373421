"""What an answer says of money: its cost here, and what a named baseline asks for the same."""

from collections.abc import Callable
from typing import NamedTuple

from farm.core.requests import Receipt
from farm.core.snapshots import AnswerPrices
from farm.energy.baselines import Baseline, Quote, quote
from farm.energy.fx import Exchange


class Price(NamedTuple):
    """Money of one request. `cost` is in `currency`, `baseline_cost` in `baseline_currency`.

    The two currencies differ where the operator gave no rate between them: then no saving can
    be told. What is None or "" is not known.
    """

    cost: float | None = None
    currency: str = ""
    baseline: str = ""
    baseline_cost: float | None = None
    baseline_currency: str = ""


class Pricing:
    """Prices answers. `requests_per_s` tells how many come now: idle hours are spread over them.

    `reference_s` turns seconds of a node's cores into those of the core for which baselines
    state their speed.
    """

    def __init__(
        self,
        *,
        currency: str | None,
        baseline: Baseline | None,
        exchange: Exchange,
        requests_per_s: Callable[[], float],
        reference_s: Callable[[str, float], float],
    ) -> None:
        self._currency = currency or ""
        self._baseline = baseline
        self._requests_per_s = requests_per_s
        self._reference_s = reference_s
        self._name = f"{baseline.name} {baseline.read.isoformat()}" if baseline else ""
        self._baseline_currency = baseline.currency if baseline else ""
        self._factor = 1.0
        if baseline is not None and currency is not None:
            rate = exchange.convert(1.0, baseline.currency, currency)
            if rate is not None:
                self._factor, self._baseline_currency = rate, currency
        # What the baseline asks while so many requests come a second.
        self._rate = 0.0
        self._quote: Quote | None = None
        # Of the latest answer: those of its batch-mates are mostly the same.
        self._known: tuple[object, ...] = ()
        self._price = Price()
        # Of all answers so far.
        self._answers = 0
        self._cost = self._baseline_cost = 0.0

    def price(self, receipt: Receipt, *, response_bytes: int) -> Price:
        """Return what an answered request cost, and would have cost elsewhere."""
        asked = (
            receipt.node_id,
            receipt.compute_s,
            receipt.share,
            receipt.batch_cost,
            response_bytes,
        )
        if asked != self._known:
            self._known = asked
            self._price = self._reckoned(receipt, response_bytes)
        self._answers += 1
        self._cost += self._price.cost or 0.0
        self._baseline_cost += self._price.baseline_cost or 0.0
        return self._price

    def totals(self) -> AnswerPrices:
        """Return the sums of all prices that were told; None where the latest had none."""
        price = self._price
        return AnswerPrices(
            answers=self._answers,
            cost=None if price.cost is None else self._cost,
            currency=price.currency,
            baseline=price.baseline,
            baseline_cost=None if price.baseline_cost is None else self._baseline_cost,
            baseline_currency=price.baseline_currency,
        )

    def _reckoned(self, receipt: Receipt, response_bytes: int) -> Price:
        cost = receipt.cost
        currency = self._currency if cost is not None else ""
        if self._baseline is None:
            return Price(cost, currency)
        rate = self._requests_per_s()
        if rate != self._rate:
            self._rate, self._quote = rate, quote(self._baseline, rate)
        if self._quote is None:
            return Price(cost, currency)
        compute_s = self._reference_s(receipt.node_id, receipt.core_s)
        theirs = self._quote(compute_s, response_bytes) * self._factor
        return Price(cost, currency, self._name, theirs, self._baseline_currency)
