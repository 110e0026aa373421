"""What answers cost here and elsewhere, while the rate of requests goes up and down."""

from dataclasses import replace
from datetime import date

import pytest

from farm.core.requests import Receipt
from farm.core.terms import FxRate
from farm.energy.catalogue import shipped_catalogue
from farm.energy.fx import Exchange
from farm.engine.pricing import Price, Pricing

RECEIPT = Receipt(
    node_id="pi", route="farm", digest="d", batch_rows=4, queue_s=0.0, compute_s=0.2, threads=2,
    share=0.25, attempts=1, policy="round_robin", batch_cost=4e-6,
)  # fmt: skip

LAMBDA = shipped_catalogue().baseline("aws-lambda-arm64")


class Rate:
    """Requests a second, as told."""

    def __init__(self, per_s: float) -> None:
        self.per_s = per_s

    def __call__(self) -> float:
        return self.per_s


def pricing(
    baseline: str | None,
    rate: Rate,
    *,
    currency: str | None = "USD",
    exchange: Exchange | None = None,
) -> Pricing:
    return Pricing(
        currency=currency,
        baseline=shipped_catalogue().baseline(baseline) if baseline else None,
        exchange=exchange or Exchange(),
        requests_per_s=rate,
        # A core of this board takes twice what the reference core takes.
        reference_s=lambda _node_id, core_s: core_s / 2,
    )


def test_a_machine_is_shared_by_as_many_requests_as_come_now() -> None:
    rate = Rate(1.0)
    prices = pricing("aws-c7g-medium", rate)
    alone = prices.price(RECEIPT, response_bytes=0)
    assert alone.baseline_cost == pytest.approx(0.0363 / 3600)
    rate.per_s = 4.0
    crowded = prices.price(replace(RECEIPT, batch_cost=2e-6), response_bytes=0)
    assert crowded.baseline_cost == pytest.approx(0.0363 / 3600 / 4)
    rate.per_s = 1.0
    assert prices.price(RECEIPT, response_bytes=0) == alone


def test_what_it_took_is_that_of_its_own_rows_on_the_core_that_baselines_speak_of() -> None:
    # 0.2 s on two threads for four rows; the reference core takes half of it.
    price = pricing("aws-lambda-arm64", Rate(1.0)).price(RECEIPT, response_bytes=0)
    assert price.baseline_cost == pytest.approx(0.05 * 1769 / 1024 * 0.0000133334 + 0.2e-6)
    assert price.cost == 1e-6
    assert (price.currency, price.baseline_currency) == ("USD", "USD")
    assert price.baseline == f"aws-lambda-arm64 {LAMBDA.read.isoformat()}"


def test_a_baseline_is_converted_by_the_operators_rate_or_keeps_its_currency() -> None:
    rates = (FxRate(sold="USD", bought="EUR", rate=0.5, day=date(2026, 11, 1), source="a bank"),)
    dollars = pricing("aws-c7g-medium", Rate(1.0)).price(RECEIPT, response_bytes=0)
    euros = pricing("aws-c7g-medium", Rate(1.0), currency="EUR", exchange=Exchange(rates=rates))
    converted = euros.price(RECEIPT, response_bytes=0)
    assert dollars.baseline_cost is not None
    assert converted.baseline_cost == pytest.approx(dollars.baseline_cost / 2)
    assert converted.baseline_currency == "EUR"
    kept = pricing("aws-c7g-medium", Rate(1.0), currency="EUR").price(RECEIPT, response_bytes=0)
    assert (kept.baseline_cost, kept.baseline_currency) == (dollars.baseline_cost, "USD")


@pytest.mark.parametrize(
    ("baseline", "rate"), [(None, 1.0), ("aws-c7g-medium", 0.0), ("openai-gpt-5-nano", 1.0)]
)
def test_what_has_no_price_elsewhere_has_its_cost_here(baseline: str | None, rate: float) -> None:
    price = pricing(baseline, Rate(rate)).price(RECEIPT, response_bytes=0)
    assert price == Price(1e-6, "USD")


def test_what_has_no_cost_here_names_no_currency_of_it() -> None:
    price = pricing(None, Rate(1.0)).price(replace(RECEIPT, batch_cost=None), response_bytes=0)
    assert price == Price()
