"""`farm demo`: see a whole farm work in a minute."""

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from farm.cli.exits import Exit, farm_errors

if TYPE_CHECKING:
    from farm.core.ledger import LedgerFigures
    from farm.demo import Outcome


def demo(
    nodes: Annotated[int, typer.Option(min=1, max=16, help="Local nodes.")] = 3,
    requests: Annotated[int, typer.Option(min=1, help="Images to send.")] = 3_000,
    concurrency: Annotated[int, typer.Option(min=1, max=1_000, help="Requests at a time.")] = 32,
) -> None:
    """Start an embedded farm, send held-out digits through real gRPC, check every answer."""
    with farm_errors():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        from farm.demo import load_digits, running_farm, send_digits, settled_usage

        progress_console = Console(stderr=True)
        with progress_console.status("running the held-out digits here first, to compare"):
            digits = load_digits()
        starting = progress_console.status(f"starting Ray and {nodes} nodes")
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with starting, running_farm(nodes) as address:
            starting.stop()
            began_ns = time.time_ns()
            with Progress(*columns, console=progress_console) as progress:
                bar = progress.add_task(f"digits to {address}", total=requests)
                outcome = asyncio.run(
                    send_digits(
                        address,
                        digits,
                        requests=requests,
                        concurrency=concurrency,
                        on_reply=lambda: progress.advance(bar),
                    )
                )
            answered = len(outcome.latencies)
            with progress_console.status("waiting until all joules are settled"):
                figures = settled_usage(address, answered, began_ns) if answered else None
    _report(outcome, requests)
    if figures is not None:
        _report_costs(outcome, figures)
    if not outcome.ok:
        for message, count in outcome.failures.most_common(5):
            sys.stderr.write(f"farm: {count} requests failed: {message}\n")
        if outcome.wrong:
            sys.stderr.write(
                f"farm: {outcome.wrong} answers differ from the local model's; the farm must not"
                " be trusted\n"
            )
        raise SystemExit(Exit.FAILED)


def _report(outcome: "Outcome", requests: int) -> None:
    from farm.cli.tables import print_table

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
                for percent in (50, 95, 99)
            ),
            ("rows in a request's batch", f"mean {mean:.1f}, largest {max(sizes, default=0)}"),
            *(
                (f"share of {node}", f"{count / max(answered, 1):.0%}")
                for node, count in sorted(outcome.nodes.items())
            ),
        ],
    )
    if outcome.receipt is not None:
        print_table(
            "Receipt of the last answer",
            ("field", "value"),
            outcome.receipt.lines(),
        )


def _report_costs(outcome: "Outcome", figures: "LedgerFigures") -> None:
    """Say what 1,000 digits took and cost, and on whose word."""
    from farm.cli.tables import print_table
    from farm.demo import PRICE_BASIS, PRICE_PER_KWH, baseline_prices
    from farm.energy.figures import energy_source

    thousands = figures.counts.answered / 1000
    # Windows before and after in which nothing ran are not the digits'.
    usage, idle = figures.usage, figures.idle
    joules = (usage.joules - idle.joules) / thousands
    low, high = (usage.low_j - idle.low_j) / thousands, (usage.high_j - idle.high_j) / thousands
    source = energy_source(usage)
    cost = ((usage.cost or 0.0) - (idle.cost or 0.0)) / thousands
    print_table(
        "What 1,000 digits took and cost",
        ("", "figure", "on whose word"),
        [
            ("energy, this machine's", f"{joules:.3g} J ({low:.3g} to {high:.3g})", source),
            (
                "its price",
                f"{cost:.2g} USD",
                f"{source} joules at {PRICE_PER_KWH} USD/kWh ({PRICE_BASIS}); the machine's own"
                " price is not in it",
            ),
            *(
                (
                    f"{baseline.provider} {baseline.service}",
                    f"{asked / thousands:.2g} USD",
                    f"prices of {baseline.read.isoformat()}; measured compute time, "
                    + (f"{baseline.speed.basis} speed" if baseline.speed else "no speed"),
                )
                for baseline, asked in baseline_prices(outcome, figures)
            ),
        ],
    )
