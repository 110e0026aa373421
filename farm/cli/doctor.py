"""`farm doctor`: what is wrong with the hosts, what it means, and what to do."""

from typing import TYPE_CHECKING

import typer

from farm.cli.exits import Exit, exit_code, farm_errors
from farm.cli.host_runs import run_over
from farm.cli.inventory_options import InventoryFile, Limit, read_inventory
from farm.cli.options import Output, OutputFormat
from farm.cli.ssh_options import AskSudoPassword, Parallel, sudo_password

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from playbooks.findings import Finding
    from playbooks.outcomes import HostRecord


def doctor(
    inventory: InventoryFile,
    limit: Limit = None,
    ask_sudo_password: AskSudoPassword = False,
    parallel: Parallel = 16,
    output: OutputFormat = Output.TABLE,
) -> None:
    """Examine the hosts: can each become, or is each still, a sound part of the farm?

    Changes nothing; what it writes to measure a disk it removes. The exit code is 0 without
    errors, 3 if some hosts have some, 1 if all have, 4 if none can be reached.
    """
    with farm_errors():
        from farm.cli.doctor_report import print_findings
        from playbooks.doctor.examination import Examination
        from playbooks.doctor.table import EVERYTHING
        from playbooks.runner import RunnerSettings

        farm = read_inventory(inventory)
        hosts = farm.limited_to(limit or ())
        password = sudo_password(farm, ask=ask_sudo_password)
        examination = Examination(
            farm=farm.farm, checks=EVERYTHING, sudo_password=password is not None
        )
        settings = RunnerSettings(parallel=parallel)
        with run_over(farm, hosts, sudo_password=password, settings=settings) as runner:
            findings = examination.examine(runner)
        print_findings(hosts, findings, output)
        code = _exit(findings, list(runner.records.values()))
    raise typer.Exit(code)


def _exit(findings: "Mapping[str, Sequence[Finding]]", records: "Sequence[HostRecord]") -> Exit:
    from playbooks.findings import errors

    sick = [host for host, found in findings.items() if errors(found)]
    if not sick:
        return Exit.OK
    if len(sick) < len(findings):
        return Exit.PARTLY_FAILED
    # All were kept from answering by the same thing: what that is says more.
    codes = {exit_code(record.error) if record.error else Exit.FAILED for record in records}
    return codes.pop() if len(codes) == 1 else Exit.FAILED
