"""What a farm cost step by step, beside what baselines ask for the same requests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from farm.core.ledger import LedgerFigures
from farm.core.terms import FarmTerms
from farm.energy.baselines import Baseline, total_price
from farm.energy.fx import Exchange
from farm.energy.operation import Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class CostStep:
    """The cost of one step of a time, and the price of each baseline for it by its name.

    All are in the farm's currency, None where they are not known. Each step is priced for
    itself: what is billed by the hour costs something in a step without requests, too.
    """

    start_unix_ns: int
    answered: int
    cost: float | None
    prices: Mapping[str, float | None]


def cost_over_time(
    steps: Sequence[LedgerFigures], terms: FarmTerms, baselines: Sequence[Baseline]
) -> tuple[CostStep, ...]:
    """Return what each step cost in which the gateway ran."""
    exchange = Exchange(rates=terms.fx)
    told = []
    for step in steps:
        operation = Operation(figures=step, terms=terms)
        if operation.seconds:
            prices = {each.name: _price(each, operation, exchange) for each in baselines}
            told.append(
                CostStep(
                    start_unix_ns=step.start_unix_ns,
                    answered=operation.answered,
                    cost=operation.cost,
                    prices=prices,
                )
            )
    return tuple(told)


def _price(baseline: Baseline, operation: Operation, exchange: Exchange) -> float | None:
    asked = total_price(baseline, operation.workload)
    if asked is None:
        return None
    return exchange.convert(asked, baseline.currency, operation.terms.currency or "")
