"""What a check is: the facts it reads, and a pure judgement of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from farm.core.text import printable
from farm.inventory import FarmSettings, Host
from playbooks.facts.base import Fact, Facts
from playbooks.facts.clock import Clock
from playbooks.findings import Finding, Severity

MB = 1_000_000
_LONGEST = 2_000
GB = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A host as it stands: what the inventory says of it, and what it says of itself.

    `now` is the operator's time. `sudo_password` says that there is one to give.
    """

    host: Host
    farm: FarmSettings
    facts: Facts
    clock: Clock
    now: datetime
    sudo_password: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One thing that a check has to say."""

    severity: Severity
    meaning: str
    fix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A question about a host. `judge` yields at least one verdict, also when all is well."""

    name: str
    reads: Sequence[Fact[Any]] = ()
    judge: Callable[[Subject], Iterator[Verdict]]

    def findings(self, subject: Subject) -> Iterator[Finding]:
        """Judge a host. What root alone can see is left open where nobody may be root."""
        unread = [fact for fact in self.reads if fact not in subject.facts]
        verdicts = [unseen()] if unread else self.judge(subject)
        for verdict in verdicts:
            yield Finding(
                host=subject.host.name,
                check=self.name,
                severity=verdict.severity,
                # It may quote the host, whose words are not the terminal's to obey.
                meaning=printable(verdict.meaning, _LONGEST),
                fix=verdict.fix,
            )


def ok(meaning: str) -> Verdict:
    return Verdict(severity=Severity.OK, meaning=meaning)


def info(meaning: str, fix: str = "") -> Verdict:
    return Verdict(severity=Severity.INFO, meaning=meaning, fix=fix)


def warning(meaning: str, fix: str) -> Verdict:
    return Verdict(severity=Severity.WARNING, meaning=meaning, fix=fix)


def error(meaning: str, fix: str) -> Verdict:
    return Verdict(severity=Severity.ERROR, meaning=meaning, fix=fix)


def unknown(what: str) -> Verdict:
    """Return the verdict where a host does not tell."""
    return info(f"the host does not tell {what}")


def unseen() -> Verdict:
    return info("not looked at: it takes root", "see the findings `sudo` and `answers`")
