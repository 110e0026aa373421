"""`farm sim`: what a farm would do, found out in virtual time."""

import sys
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from farm.cli.exits import Exit, farm_errors
from farm.cli.options import Output, OutputFormat
from farm.cli.progress import doing

if TYPE_CHECKING:
    from farm.sim.report import Report
    from farm.sim.setup import Setup

app = typer.Typer(help="Simulate a farm: the same scheduler, virtual time.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Simulate a farm: the same scheduler, virtual time."""


@app.command("run")
def run(
    file: Annotated[
        Path | None, typer.Argument(help="A scenario, such as those in docs/scenarios.")
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(help="Instead of the scenario's; several are compared.", metavar="NAME"),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the scenario's.")] = None,
    requests: Annotated[int | None, typer.Option(min=1, help="End after so many.")] = None,
    trace: Annotated[
        Path | None, typer.Option(help="Replay what `farm up --record` wrote.", metavar="TRACE")
    ] = None,
    output: OutputFormat = Output.TABLE,
) -> None:
    """Run a scenario or a trace and report on it; the same input gives the same report."""
    from farm.cli.sim_report import print_comparison, print_report
    from farm.cli.tables import print_json

    with farm_errors():
        setup, policies = _setup(file, policy or [], seed, requests, trace)
        reports = [_simulate(setup, name) for name in policies]
    if output is Output.JSON:
        print_json("reports", [report.to_json() for report in reports])
    elif len(reports) == 1:
        print_report(reports[0])
    else:
        print_comparison(reports)
    if lost := [report.policy for report in reports if report.lost]:
        sys.stderr.write(f"farm: accepted requests had no reply at the end under {lost}\n")
        raise SystemExit(Exit.FAILED)


def _setup(
    file: Path | None,
    policies: list[str],
    seed: int | None,
    requests: int | None,
    trace: Path | None,
) -> "tuple[Setup, list[str]]":
    from farm.core.errors import ConfigurationError
    from farm.sim.from_scenario import read_scenario, replay, setup_of
    from farm.sim.schedulers import known_schedulers

    source = file or trace
    if source is None or (file is not None and trace is not None):
        raise typer.BadParameter("give either a scenario or --trace")
    for name in policies:
        if name not in known_schedulers():
            known = ", ".join(known_schedulers())
            raise ConfigurationError(f"--policy: there is no policy '{name}'; known are {known}")
    scenario = read_scenario(source) if file is not None else replay(source)
    given = {"seed": seed, "requests": requests}
    scenario = scenario.model_copy(update={k: v for k, v in given.items() if v is not None})
    return setup_of(scenario, file=source), policies or [scenario.policy]


def _simulate(setup: "Setup", policy: str) -> "Report":
    from farm.sim.simulation import simulate

    began = perf_counter()
    with doing(f"simulating {policy}"):
        report = simulate(setup, policy)
    sys.stderr.write(
        f"{policy}: {report.offered} requests in {report.ended_at_s:.0f} s of virtual time,"
        f" {perf_counter() - began:.1f} s of real time\n"
    )
    return report
