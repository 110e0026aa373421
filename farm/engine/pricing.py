"""What an answer says of money: its cost here, and what a named baseline asks for the same."""

from collections.abc import Callable
from dataclasses import dataclass

from farm.core.requests import InferenceRequest, Receipt
from farm.energy.baselines import Baseline, request_price
from farm.energy.fx import Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
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
    """Prices answers. `requests_per_s` tells how many come now: idle hours are spread over them."""

    def __init__(
        self,
        *,
        currency: str | None,
        baseline: Baseline | None,
        exchange: Exchange,
        requests_per_s: Callable[[], float],
    ) -> None:
        self._currency = currency or ""
        self._baseline = baseline
        self._requests_per_s = requests_per_s
        self._name = f"{baseline.name} {baseline.read.isoformat()}" if baseline else ""
        self._baseline_currency = baseline.currency if baseline else ""
        self._factor = 1.0
        if baseline is not None and currency is not None:
            rate = exchange.convert(1.0, baseline.currency, currency)
            if rate is not None:
                self._factor, self._baseline_currency = rate, currency

    def price(self, request: InferenceRequest, receipt: Receipt, response_bytes: int) -> Price:
        """Return what an answered request cost, and would have cost elsewhere."""
        theirs = None
        if self._baseline is not None:
            theirs = request_price(
                self._baseline,
                compute_s=receipt.core_s,
                request_bytes=request.size_bytes,
                response_bytes=response_bytes,
                requests_per_s=self._requests_per_s(),
            )
        return Price(
            cost=receipt.cost,
            currency=self._currency if receipt.cost is not None else "",
            baseline=self._name if theirs is not None else "",
            baseline_cost=None if theirs is None else theirs * self._factor,
            baseline_currency=self._baseline_currency if theirs is not None else "",
        )
