"""`farm upgrade`: a farm that serves is moved to what this machine has installed."""

from pathlib import Path
from typing import Annotated

import typer

from farm.cli.deployment import DryRun, finish, ordered
from farm.cli.exits import farm_errors
from farm.cli.inventory_options import InventoryFile
from farm.cli.options import Output, OutputFormat
from farm.cli.ssh_options import AskSudoPassword, Parallel


def upgrade(
    inventory: InventoryFile,
    models: Annotated[
        Path | None,
        typer.Option(help="Model repository to bring as well.", show_default="the farm's own"),
    ] = None,
    floor: Annotated[
        float, typer.Option(min=0, max=1, help="The share of the nodes that must go on serving.")
    ] = 0.5,
    dry_run: DryRun = False,
    ask_sudo_password: AskSudoPassword = False,
    parallel: Parallel = 16,
    output: OutputFormat = Output.TABLE,
) -> None:
    """Move a farm that serves to this machine's version of it, without a failed request.

    One node at a time, drained first. It stops at the first one that is not well afterwards,
    and says how to go back. The exit codes are those of `farm bootstrap`.
    """
    with farm_errors():
        from playbooks.rollout import RolloutSettings
        from playbooks.runner import RunnerSettings
        from playbooks.upgrade import Upgrade

        with ordered(
            inventory,
            limit=(),
            models=models,
            ask_sudo_password=ask_sudo_password,
            settings=RunnerSettings(parallel=parallel, dry_run=dry_run),
        ) as (order, runner):
            report = Upgrade(order=order, runner=runner, rollout=RolloutSettings(floor=floor)).run()
        finish(runner, report, output)
