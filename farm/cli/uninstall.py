"""`farm uninstall`: the farm is removed from its hosts."""

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from farm.cli.deployment import DryRun, tell
from farm.cli.exits import farm_errors
from farm.cli.host_outcomes import end, print_outcomes, print_plan
from farm.cli.host_runs import run_over
from farm.cli.inventory_options import InventoryFile, Limit, read_inventory
from farm.cli.options import Output, OutputFormat
from farm.cli.ssh_options import AskSudoPassword, Parallel, sudo_password
from farm.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from farm.inventory import Host


def uninstall(
    inventory: InventoryFile,
    limit: Limit = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: DryRun = False,
    ask_sudo_password: AskSudoPassword = False,
    parallel: Parallel = 16,
    output: OutputFormat = Output.TABLE,
) -> None:
    """Stop the farm on its hosts and remove everything of it: services, software, models, data.

    Packages of the distribution that bootstrap installed stay, and this machine's files of the
    farm (its CA, known hosts) too.
    """
    with farm_errors():
        from farm.contexts import FarmHome
        from playbooks.exclusion import alone
        from playbooks.runner import RunnerSettings
        from playbooks.uninstall import LEFT
        from playbooks.uninstall import uninstall as remove

        farm = read_inventory(inventory)
        hosts = farm.limited_to(limit or ())
        folder = FarmHome.of(os.environ).folder(farm.farm.name)
        if not dry_run:
            _agree(hosts, yes=yes)
        password = sudo_password(farm, ask=ask_sudo_password)
        settings = RunnerSettings(parallel=parallel, dry_run=dry_run)
        with (
            alone(folder),
            run_over(farm, hosts, sudo_password=password, settings=settings) as runner,
        ):
            remove(runner)
        records = list(runner.records.values())
        if dry_run:
            print_plan(records, output)
        else:
            print_outcomes(records, output)
            tell(f"left on the hosts: {LEFT}; left here: {folder.path}")
        end(records)


def _agree(hosts: "Sequence[Host]", *, yes: bool) -> None:
    names = ", ".join(host.name for host in hosts)
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigurationError(
            f"this would remove the farm from {names}, and nobody is there to be asked; pass --yes"
        )
    typer.confirm(f"Remove the farm, its models and its data from {names}?", abort=True, err=True)
