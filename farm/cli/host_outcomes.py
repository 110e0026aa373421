"""What became of hosts, as tables, JSON and exit codes."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import typer

from farm.cli.exits import Exit, exit_code
from farm.cli.options import Output

if TYPE_CHECKING:
    from playbooks.outcomes import HostRecord


def print_outcomes(
    records: "Sequence[HostRecord]", output: Output, *, more: Mapping[str, Any] | None = None
) -> None:
    """Print each host's outcome; errors and their fixes go to standard error too."""
    from farm.cli.tables import print_json, print_table

    if output is Output.JSON:
        print_json("run", {"hosts": [_as_json(record) for record in records], **(more or {})})
    else:
        print_table(
            "Hosts",
            ("host", "outcome", "changes", ""),
            [
                (record.host, str(record.status), str(len(record.changes)), _why(record))
                for record in records
            ],
        )
    for record in records:
        if record.error is not None:
            sys.stderr.write(f"farm: {record.error.message}\n")
            if record.error.fix:
                sys.stderr.write(f"      {record.error.fix}\n")


def print_plan(records: "Sequence[HostRecord]", output: Output) -> None:
    """Print what a dry run would do, host by host."""
    from farm.cli.tables import print_json

    if output is Output.JSON:
        print_json("plan", [_as_json(record) for record in records])
        return
    for record in records:
        sys.stdout.write(f"{record.host}: {_summary(record)}\n")
        step = ""
        for change in record.changes:
            if change.step != step:
                step = change.step
                sys.stdout.write(f"  {step}\n")
            for line in change.command.splitlines():
                sys.stdout.write(f"    {line}\n")


def end(records: "Sequence[HostRecord]", *, failed: bool = False, partly: bool = True) -> None:
    """End the command with the code that says how it went; `failed` beside the hosts.

    Where some hosts failed, `partly` says that what the command is for was done all the same.
    """
    errors = [record.error for record in records if record.error is not None]
    lost = [record for record in records if record.error is not None or record.skipped]
    if not lost:
        raise typer.Exit(Exit.FAILED if failed else Exit.OK)
    if len(lost) < len(records):
        raise typer.Exit(Exit.PARTLY_FAILED if partly else Exit.FAILED)
    # All were kept from it by the same thing: what that is says more.
    codes = {exit_code(error) for error in errors}
    same = len(errors) == len(records) and len(codes) == 1
    raise typer.Exit(codes.pop() if same else Exit.FAILED)


def _summary(record: "HostRecord") -> str:
    if record.error is not None:
        return f"cannot go on: {record.error.message}"
    count = len(record.changes)
    return record.skipped or (f"{count} changes" if count else "nothing to do")


def _why(record: "HostRecord") -> str:
    if record.error is not None:
        return f"{record.step}: {record.error.message}"
    return record.skipped


def _as_json(record: "HostRecord") -> dict[str, Any]:
    error = record.error
    return {
        "host": record.host,
        "status": str(record.status),
        "step": record.step,
        "changes": [{"step": c.step, "command": c.command} for c in record.changes],
        "error": error.message if error is not None else None,
        "fix": error.fix if error is not None else None,
        "skipped": record.skipped or None,
    }
