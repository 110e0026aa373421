"""How the findings of a doctor are shown."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from farm.cli.options import Output
from farm.cli.tables import print_json
from playbooks.findings import Finding, Severity, errors

if TYPE_CHECKING:
    from farm.inventory import Host

_STYLES = {
    Severity.ERROR: "bold red",
    Severity.WARNING: "yellow",
    Severity.INFO: "cyan",
    Severity.OK: "green",
}


def print_findings(
    hosts: "Sequence[Host]", findings: Mapping[str, Sequence[Finding]], output: Output
) -> None:
    """Print what was found, host by host, the worst first; what is well in one line."""
    if output is Output.JSON:
        print_json("hosts", [_document(host, findings[host.name]) for host in hosts])
        return
    console = Console(highlight=False, markup=False)
    for host in hosts:
        found = findings[host.name]
        title = f"{host.name} ({host.address}): {_summary(found)}"
        if console.is_terminal:
            console.print(Text(title, style="bold"), _table(found), "", sep="\n")
        else:
            sys.stdout.write(f"{title}\n{_plain(found)}\n")
    sick = sum(bool(errors(found)) for found in findings.values())
    console.print(
        f"{_counted(len(hosts), 'host')}: "
        + (f"{sick} cannot serve" if sick else "nothing keeps any of them from serving")
    )


def _rows(found: Sequence[Finding]) -> Iterator[tuple[Severity, str, str, str]]:
    """Return severity, checks, meaning and fix; checks that say the same stand together."""
    alike: dict[tuple[Severity, str, str], list[str]] = {}
    for finding in found:
        if finding.severity is not Severity.OK:
            said = (finding.severity, finding.meaning, finding.fix)
            alike.setdefault(said, []).append(finding.check)
    bad = {check for checks in alike.values() for check in checks}
    well = dict.fromkeys(finding.check for finding in found if finding.check not in bad)
    for (severity, meaning, fix), checks in alike.items():
        yield severity, ", ".join(checks), meaning, fix
    if well:
        yield Severity.OK, ", ".join(well), "", ""


def _table(found: Sequence[Finding]) -> Table:
    table = Table.grid(padding=(0, 2))
    # In words, not by colour alone. A line that is cut would hide what to do.
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for severity, checks, meaning, fix in _rows(found):
        said = Text(checks, style="bold" if meaning else "dim")
        if meaning:
            said.append(f": {meaning}", style="not bold")
        if fix:
            said.append(f"\n→ {fix}", style="not bold italic")
        table.add_row(Text(f"  {severity:7}", style=_STYLES[severity]), said)
    return table


def _plain(found: Sequence[Finding]) -> str:
    """Return the rows for pipes: a line for what was found, one for what to do."""
    lines = []
    for severity, checks, meaning, fix in _rows(found):
        lines.append(f"  {severity:7}  {checks}{': ' if meaning else ''}{meaning}\n")
        if fix:
            lines.append(f"  {'':7}  -> {fix}\n")
    return "".join(lines)


def _summary(found: Sequence[Finding]) -> str:
    counts = [
        _counted(count, severity)
        for severity in (Severity.ERROR, Severity.WARNING)
        if (count := sum(finding.severity is severity for finding in found))
    ]
    return ", ".join(counts) or "all is well"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _document(host: "Host", found: Sequence[Finding]) -> dict[str, object]:
    return {
        "host": host.name,
        "address": host.address,
        "severity": str(found[0].severity) if found else None,
        "findings": [
            {
                "check": finding.check,
                "severity": str(finding.severity),
                "meaning": finding.meaning,
                "fix": finding.fix or None,
            }
            for finding in found
        ],
    }
