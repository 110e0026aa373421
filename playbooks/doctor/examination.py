"""Reads what checks need from all hosts, and judges it."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from farm.inventory import FarmSettings, Host
from playbooks.doctor.access import refusal
from playbooks.doctor.check import Check, Subject
from playbooks.doctor.comparison import compare
from playbooks.facts.base import Fact, Facts
from playbooks.facts.clock import Clock, clock
from playbooks.facts.machine import MACHINE
from playbooks.facts.python import PYTHON
from playbooks.facts.sudo import SUDO, Sudo
from playbooks.findings import Finding, worst_first
from playbooks.runner import Runner


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """Which checks are made of a farm's hosts. `now` is the operator's time since 1970."""

    farm: FarmSettings
    checks: Sequence[Check]
    sudo_password: bool = False
    now: Callable[[], float] = time.time

    def examine(self, runner: Runner) -> dict[str, list[Finding]]:
        """Return the findings of every host by name, the worst first.

        Hosts are asked three times: as the user, for their time, and as root where the user
        may become it. One that cannot be asked has a finding that says why, and what it
        answered before is judged all the same.
        """
        asked = {fact.name: fact for check in self.checks for fact in check.reads}
        asked |= {fact.name: fact for fact in (SUDO, PYTHON, MACHINE)}
        of_user = [fact for fact in asked.values() if not fact.sudo]
        of_root = [fact for fact in asked.values() if fact.sudo]

        known = dict(runner.read(lambda host: of_user))
        clocks = self._clocks(runner)

        def by_root(host: Host) -> list[Fact[Any]]:
            state = known[host.name][SUDO]
            free = state is Sudo.FREE or (state is Sudo.ASKS and self.sudo_password)
            return of_root if free else []

        known |= runner.read(by_root)
        findings: dict[str, list[Finding]] = {host.name: [] for host in runner.hosts}
        for host in runner.hosts:
            found = findings[host.name]
            failure = runner.records[host.name].error
            if host.name in known:
                found += self._judge(host, known[host.name], clocks.get(host.name, Clock()))
            if failure is not None:
                refused = refusal(host.name, failure, answered=host.name in known)
                # Of that the host itself may have said otherwise, before it was tried.
                found[:] = [refused, *(each for each in found if each.check != refused.check)]
        for finding in compare({host: known[host] for host in findings if host in known}):
            findings[finding.host].append(finding)
        return {host: worst_first(found) for host, found in findings.items()}

    def _clocks(self, runner: Runner) -> Mapping[str, Clock]:
        """Return the clocks of the hosts, asked alone: the sooner the answer the better."""
        questions: dict[str, Fact[Clock]] = {}

        def ask(host: Host) -> list[Fact[Any]]:
            questions[host.name] = clock(self.now)
            return [questions[host.name]]

        told = runner.read(ask)
        return {host: facts[questions[host]] for host, facts in told.items()}

    def _judge(self, host: Host, facts: Facts, clock: Clock) -> list[Finding]:
        subject = Subject(
            host=host,
            farm=self.farm,
            facts=facts,
            clock=clock,
            now=datetime.fromtimestamp(self.now(), tz=UTC),
            sudo_password=self.sudo_password,
        )
        return [finding for check in self.checks for finding in check.findings(subject)]
