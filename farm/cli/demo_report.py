"""What a demo found out, as tables and JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from farm.cli.options import Output
from farm.cli.tables import print_json, print_table

if TYPE_CHECKING:
    from farm.core.ledger import LedgerFigures
    from farm.demo import Outcome

_PERCENTILES = (50, 95, 99)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Thousand:
    """What 1,000 digits took, and what that costs in USD.

    Windows before and after in which nothing ran are not the digits'.
    """

    joules: float
    low_j: float
    high_j: float
    source: str
    cost: float

    @classmethod
    def of(cls, figures: "LedgerFigures") -> Self:
        from farm.energy.figures import energy_source

        thousands = figures.counts.answered / 1000
        usage, idle = figures.usage, figures.idle
        return cls(
            joules=(usage.joules - idle.joules) / thousands,
            low_j=(usage.low_j - idle.low_j) / thousands,
            high_j=(usage.high_j - idle.high_j) / thousands,
            source=energy_source(usage),
            cost=((usage.cost or 0.0) - (idle.cost or 0.0)) / thousands,
        )


def print_outcome(
    outcome: "Outcome", figures: "LedgerFigures | None", *, requests: int, output: Output
) -> None:
    """Print what came of so many requests; without `figures` nothing of joules and money."""
    if output is Output.JSON:
        print_json("demo", _document(outcome, figures, requests))
        return
    _print_answers(outcome, requests)
    if outcome.receipt is not None:
        print_table("Receipt of the last answer", ("field", "value"), outcome.receipt.lines())
    if figures is not None:
        _print_costs(outcome, figures)


def _document(outcome: "Outcome", figures: "LedgerFigures | None", requests: int) -> dict[str, Any]:
    return {
        "requests": requests,
        "answered": len(outcome.latencies),
        "wrong": outcome.wrong,
        "correct": outcome.correct,
        "failures": dict(outcome.failures),
        "seconds": outcome.seconds,
        "latency_s": {f"p{each}": outcome.percentile_s(each) for each in _PERCENTILES},
        "batch_sizes": {str(size): count for size, count in sorted(outcome.batch_sizes.items())},
        "nodes": dict(sorted(outcome.nodes.items())),
        "receipt": dict(outcome.receipt) if outcome.receipt is not None else None,
        "per_1000": _costs(outcome, figures) if figures is not None else None,
    }


def _costs(outcome: "Outcome", figures: "LedgerFigures") -> Mapping[str, Any]:
    from farm.demo import PRICE_BASIS, PRICE_PER_KWH, baseline_prices

    thousand = _Thousand.of(figures)
    return {
        "joules": thousand.joules,
        "low_j": thousand.low_j,
        "high_j": thousand.high_j,
        "source": thousand.source,
        "cost_usd": thousand.cost,
        "price_per_kwh_usd": PRICE_PER_KWH,
        "price_basis": PRICE_BASIS,
        "baselines": [
            {
                "name": baseline.name,
                "cost_usd": asked / (figures.counts.answered / 1000),
                "read": baseline.read.isoformat(),
                "speed_basis": baseline.speed.basis if baseline.speed else None,
            }
            for baseline, asked in baseline_prices(outcome, figures)
        ],
    }


def _print_answers(outcome: "Outcome", requests: int) -> None:
    answered = len(outcome.latencies)
    sizes = outcome.batch_sizes
    mean = sum(size * count for size, count in sizes.items()) / max(answered, 1)
    print_table(
        "farm demo",
        ("figure", "value"),
        [
            ("answered", f"{answered} of {requests}"),
            ("equal to the local model", f"{answered - outcome.wrong} of {answered}"),
            ("accuracy on held-out digits", f"{outcome.correct / max(answered, 1):.2%}"),
            ("throughput", f"{answered / max(outcome.seconds, 1e-9):,.0f} requests/s"),
            *(
                (f"latency p{percent}", f"{outcome.percentile_s(percent) * 1e3:.1f} ms")
                for percent in _PERCENTILES
            ),
            ("rows in a request's batch", f"mean {mean:.1f}, largest {max(sizes, default=0)}"),
            *(
                (f"share of {node}", f"{count / max(answered, 1):.0%}")
                for node, count in sorted(outcome.nodes.items())
            ),
        ],
    )


def _print_costs(outcome: "Outcome", figures: "LedgerFigures") -> None:
    """Say what 1,000 digits took and cost, and on whose word."""
    from farm.demo import PRICE_BASIS, PRICE_PER_KWH, baseline_prices

    thousand = _Thousand.of(figures)
    joules = f"{thousand.joules:.3g} J ({thousand.low_j:.3g} to {thousand.high_j:.3g})"
    print_table(
        "What 1,000 digits took and cost",
        ("", "figure", "on whose word"),
        [
            ("energy, this machine's", joules, thousand.source),
            (
                "its price",
                f"{thousand.cost:.2g} USD",
                f"{thousand.source} joules at {PRICE_PER_KWH} USD/kWh ({PRICE_BASIS}); the"
                " machine's own price is not in it",
            ),
            *(
                (
                    f"{baseline.provider} {baseline.service}",
                    f"{asked / (figures.counts.answered / 1000):.2g} USD",
                    f"prices of {baseline.read.isoformat()}; measured compute time, "
                    + (f"{baseline.speed.basis} speed" if baseline.speed else "no speed"),
                )
                for baseline, asked in baseline_prices(outcome, figures)
            ),
        ],
    )
