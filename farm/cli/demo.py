"""`farm demo`: see a whole farm work in a minute."""

import sys
import time
from contextlib import ExitStack
from typing import Annotated

import typer

from farm.cli.exits import Exit, farm_errors
from farm.cli.options import Output, OutputFormat
from farm.cli.progress import counted, doing


def demo(
    nodes: Annotated[int, typer.Option(min=1, max=16, help="Local nodes.")] = 3,
    requests: Annotated[int, typer.Option(min=1, help="Images to send.")] = 3_000,
    concurrency: Annotated[int, typer.Option(min=1, max=1_000, help="Requests at a time.")] = 32,
    output: OutputFormat = Output.TABLE,
) -> None:
    """Start an embedded farm, send held-out digits through real gRPC, check every answer."""
    with farm_errors():
        import asyncio

        from farm.cli.demo_report import print_outcome
        from farm.demo import load_digits, running_farm, send_digits, settled_usage

        with doing("running the held-out digits here first, to compare"):
            digits = load_digits()
        with ExitStack() as started:
            with doing(f"starting Ray and {nodes} nodes"):
                address = started.enter_context(running_farm(nodes))
            began_ns = time.time_ns()
            with counted(f"digits to {address}", requests) as advance:
                outcome = asyncio.run(
                    send_digits(
                        address,
                        digits,
                        requests=requests,
                        concurrency=concurrency,
                        on_reply=lambda: advance(1),
                    )
                )
            answered = len(outcome.latencies)
            with doing("waiting until all joules are settled"):
                figures = settled_usage(address, answered, began_ns) if answered else None
        print_outcome(outcome, figures, requests=requests, output=output)
    if not outcome.ok:
        for message, count in outcome.failures.most_common(5):
            sys.stderr.write(f"farm: {count} requests failed: {message}\n")
        if outcome.wrong:
            sys.stderr.write(
                f"farm: {outcome.wrong} answers differ from the local model's; the farm must not"
                " be trusted\n"
            )
        raise SystemExit(Exit.FAILED)
