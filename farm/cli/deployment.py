"""What `farm bootstrap` and `farm upgrade` share: what they are given, and what they print."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from farm.cli.host_outcomes import end, print_outcomes, print_plan
from farm.cli.host_runs import run_over
from farm.cli.inventory_options import read_inventory
from farm.cli.options import Output
from farm.cli.ssh_options import sudo_password

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playbooks.deployment import Order, Report
    from playbooks.runner import Runner, RunnerSettings

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would be done, host by host, and do nothing.")
]


@contextmanager
def ordered(
    inventory: Path,
    *,
    limit: "Sequence[str]",
    models: Path | None,
    ask_sudo_password: bool,
    settings: "RunnerSettings",
) -> "Iterator[tuple[Order, Runner]]":
    """Yield what the operator wants and a runner over the hosts; nobody else changes them here."""
    from farm.contexts import FarmHome
    from playbooks.cache import cache_folder
    from playbooks.deployment import Order
    from playbooks.exclusion import alone
    from playbooks.installation import Supplies
    from playbooks.own_wheel import own_wheel
    from playbooks.wheelhouse import Wheelhouse

    farm = read_inventory(inventory)
    home = FarmHome.of(os.environ)
    # Nothing can be done to a farm without its head.
    hosts = farm.limited_to([*limit, farm.head.name] if limit else ())
    password = sudo_password(farm, ask=ask_sudo_password)
    cache = cache_folder(os.environ)
    wheelhouse = Wheelhouse(cache, tell=tell)
    with (
        alone(home.folder(farm.farm.name)),
        run_over(farm, hosts, sudo_password=password, settings=settings) as runner,
    ):
        supplies = Supplies(
            wheelhouse=wheelhouse, wheel=own_wheel(wheelhouse), cache=cache, tell=tell
        )
        yield (
            Order(
                inventory=farm,
                home=home,
                supplies=supplies,
                models=models,
                sudo_password=password is not None,
            ),
            runner,
        )


def tell(line: str) -> None:
    """Tell the operator what is going on."""
    sys.stderr.write(f"{line}\n")


def finish(runner: "Runner", report: "Report", output: Output) -> None:
    """Print what became of every host and what the farm was proved to do; end the command."""
    records = list(runner.records.values())
    if runner.settings.dry_run:
        print_plan(records, output)
        end(records)
    print_outcomes(records, output, more=_as_json(report))
    if output is Output.TABLE:
        _print_proof(report)
    found = report.verification
    failed = found is not None and bool(found.problems or not found.serves)
    end(records, failed=failed, partly=report.serves)


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


def _print_proof(report: "Report") -> None:
    for note in report.notes:
        tell(f"note: {note}")
    found = report.verification
    if found is None:
        return
    for run in found.goldens:
        tell(f"{'FAILED ' if run.problem else ''}{run}")
    if found.receipt is not None:
        from farm.cli.tables import print_table

        rows = [(key, str(value)) for key, value in found.receipt.items()]
        print_table("The first receipt", ("", ""), rows)
