"""`farm demo`: see a whole farm work in a minute."""

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from farm.cli.exits import Exit, farm_errors

if TYPE_CHECKING:
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

        from farm.demo import load_digits, running_farm, send_digits

        progress_console = Console(stderr=True)
        with progress_console.status("running the held-out digits here first, to compare"):
            digits = load_digits()
        starting = progress_console.status(f"starting Ray and {nodes} nodes")
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with starting, running_farm(nodes) as address:
            starting.stop()
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
    _report(outcome, requests)
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
            [(key, str(value)) for key, value in outcome.receipt.items()],
        )
