"""`farm bootstrap`: from bare hosts to a farm that serves."""

from pathlib import Path
from typing import Annotated

import typer

from farm.cli.deployment import DryRun, finish, ordered
from farm.cli.exits import farm_errors
from farm.cli.inventory_options import InventoryFile, Limit
from farm.cli.options import Output, OutputFormat
from farm.cli.ssh_options import AskSudoPassword, MaxFailures, Parallel

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
        from playbooks import bootstrap as playbook
        from playbooks.runner import RunnerSettings

        with ordered(
            inventory,
            limit=limit or (),
            models=models or zoo.models_dir(),
            ask_sudo_password=ask_sudo_password,
            settings=RunnerSettings(parallel=parallel, max_failures=max_failures, dry_run=dry_run),
        ) as (order, runner):
            report = playbook.bootstrap(order, runner)
        finish(runner, report, output)
