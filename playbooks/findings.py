"""What is found on a host: how bad it is, what it means and what to do."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad a finding is, the worst first. An error keeps a host from serving."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    OK = "ok"

    @property
    def rank(self) -> int:
        """0 is the worst."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found on one host. `fix` is "" where there is nothing to do."""

    host: str
    check: str
    severity: Severity
    meaning: str
    fix: str = ""


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings with the worst first, else in their order."""
    return sorted(findings, key=lambda finding: finding.severity.rank)


def errors(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings that keep hosts from serving."""
    return [finding for finding in findings if finding.severity is Severity.ERROR]
