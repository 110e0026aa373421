"""`farm bootstrap`: from bare hosts to a farm that serves."""

import os
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from farm.cli.exits import farm_errors
from farm.cli.host_outcomes import end, print_outcomes, print_plan
from farm.cli.inventory_options import InventoryFile, Limit, read_inventory
from farm.cli.options import Output, OutputFormat
from farm.cli.ssh_options import AskSudoPassword, MaxFailures, Parallel, sudo_password

if TYPE_CHECKING:
    from playbooks.bootstrap import Report

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would be done, host by host, and do nothing.")
]
Models = Annotated[
    Path | None,
    typer.Option(help="Model repository in Triton's layout.", show_default="the shipped zoo"),
]


def bootstrap(
    inventory: InventoryFile,
    limit: Limit = None,
    models: Models = None,
    dry_run: DryRun = False,
    ask_sudo_password: AskSudoPassword = False,
    parallel: Parallel = 16,
    max_failures: MaxFailures = None,
    output: OutputFormat = Output.TABLE,
) -> None:
    """Turn bare hosts into a farm that serves. Run again it completes what is missing.

    The exit code is 0 if every host serves, 3 if some failed and the others serve, 1 if the
    farm does not serve, 4 if no host can be reached.
    """
    with farm_errors():
        from farm import zoo
        from farm.cli.host_progress import shown_progress
        from farm.contexts import FarmHome
        from playbooks.bootstrap import Bootstrap
        from playbooks.cache import cache_folder
        from playbooks.installation import Supplies
        from playbooks.own_wheel import own_wheel
        from playbooks.runner import Runner, RunnerSettings
        from playbooks.ssh import SshSettings, SshTransport
        from playbooks.wheelhouse import Wheelhouse

        farm = read_inventory(inventory)
        home = FarmHome.of(os.environ)
        # Nothing can be done to a farm without its head.
        hosts = farm.limited_to([*limit, farm.head.name] if limit else ())
        password = sudo_password(farm, ask=ask_sudo_password)
        ssh = SshSettings(
            known_hosts=home.folder(farm.farm.name).known_hosts, sudo_password=password
        )
        cache = cache_folder(os.environ)
        wheelhouse = Wheelhouse(cache, tell=_tell)
        with shown_progress([host.name for host in hosts]) as progress:
            runner = Runner(
                hosts,
                connect=lambda host: SshTransport(host, ssh),
                settings=RunnerSettings(
                    parallel=parallel, max_failures=max_failures, dry_run=dry_run
                ),
                progress=progress,
            )
            with closing(runner):
                report = Bootstrap(
                    farm,
                    runner,
                    home=home,
                    supplies=Supplies(
                        wheelhouse=wheelhouse,
                        wheel=own_wheel(wheelhouse),
                        cache=cache,
                        tell=_tell,
                    ),
                    models=models or zoo.models_dir(),
                    sudo_password=password is not None,
                ).run()
        records = list(runner.records.values())
        if dry_run:
            print_plan(records, output)
        else:
            print_outcomes(records, output, more=_as_json(report))
            _print_proof(report, output)
    end(records, failed=bool(report.verification and report.verification.problems))


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _as_json(report: "Report") -> dict[str, object]:
    found = report.verification
    receipt = found.receipt if found is not None else None
    return {
        "notes": report.notes,
        "goldens": [
            {
                "model": run.model,
                "version": run.version,
                "golden": run.golden,
                "problem": run.problem or None,
            }
            for run in (found.goldens if found is not None else ())
        ],
        "receipt": dict(receipt) if receipt is not None else None,
    }


def _print_proof(report: "Report", output: Output) -> None:
    """Say what the farm was proved to do, for people."""
    if output is Output.JSON:
        return
    from farm.cli.tables import print_table

    for note in report.notes:
        sys.stderr.write(f"note: {note}\n")
    found = report.verification
    if found is None:
        return
    for run in found.goldens:
        sys.stderr.write(f"{'FAILED ' if run.problem else ''}{run}\n")
    if found.receipt is not None:
        print_table(
            "The first receipt",
            ("", ""),
            [(key, str(value)) for key, value in found.receipt.items()],
        )
