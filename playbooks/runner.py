"""Carries steps out on many hosts at once, and keeps what became of each."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from farm.core.errors import FarmError
from farm.core.text import printable
from farm.inventory import Host
from playbooks.commands import Command, Put, Result, Run
from playbooks.facts.base import Fact, Facts
from playbooks.facts.gather import answers, question
from playbooks.outcomes import Change, HostRecord
from playbooks.progress import Progress, Silence, StepEvent, StepState
from playbooks.steps.base import Step
from playbooks.transport import CommandFailedError, HostError, Transport

T = TypeVar("T")

# Of what a host says when a command fails.
_LINE = 300

# Facts are asked in one go; each has a bound of its own in the script.
_FACTS_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerSettings:
    """Bounds of a run.

    At most `parallel` hosts are worked on at once. Once more than `max_failures` have failed
    the others stop before their next step; None sets no such bound. A `dry_run` reads facts,
    carries nothing out, and keeps the commands that it would.
    """

    parallel: int = 16
    max_failures: int | None = None
    dry_run: bool = False


class Runner:
    """One run over a set of hosts, in phases; a host that failed is left out of later ones."""

    def __init__(
        self,
        hosts: Sequence[Host],
        *,
        connect: Callable[[Host], Transport],
        settings: RunnerSettings | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.hosts = tuple(hosts)
        self.settings = settings or RunnerSettings()
        self.records = {host.name: HostRecord(host=host.name) for host in hosts}
        self._progress = progress or Silence()
        self._sessions = {host.name: _Session(connect(host)) for host in hosts}
        self._stopping = threading.Event()

    @property
    def going(self) -> tuple[Host, ...]:
        """The hosts that have not failed and were not given up."""
        return tuple(host for host in self.hosts if self.records[host.name].going)

    def phase(
        self, steps: Callable[[Host], Sequence[Step]], hosts: Iterable[Host] | None = None
    ) -> None:
        """Carry out each host's steps, in their order, on the hosts that still go on."""
        self.each(lambda host: self._carry_out(host, steps(host)), hosts)

    def read(self, facts: Callable[[Host], Sequence[Fact[Any]]]) -> Mapping[str, Facts]:
        """Ask every host that goes on for facts; those that did not answer are left out."""

        def ask(host: Host) -> Facts:
            self._begin(host, "facts", StepState.READING)
            known = self._sessions[host.name].facts(facts(host))
            self._tell(host, "facts", StepState.UNCHANGED)
            return known

        return self.each(ask)

    def each(self, work: Callable[[Host], T], hosts: Iterable[Host] | None = None) -> dict[str, T]:
        """Do something here for every host that goes on; return what came of it by host.

        A `FarmError` ends that host's run alone.
        """
        done: dict[str, T] = {}

        def run(host: Host) -> None:
            done[host.name] = work(host)

        chosen = None if hosts is None else {host.name for host in hosts}
        self._each([h for h in self.going if chosen is None or h.name in chosen], run)
        return done

    def would_change(
        self, steps: Callable[[Host], Sequence[Step]], hosts: Iterable[Host] | None = None
    ) -> frozenset[str]:
        """Return the hosts, by name, of which steps would change something; nothing is done."""

        def look(host: Host) -> bool:
            planned = steps(host)
            known = self._sessions[host.name].facts([f for step in planned for f in step.reads])
            return any(True for step in planned for _ in step.plan(known))

        return frozenset(name for name, changes in self.each(look, hosts).items() if changes)

    def give_up(self, host: Host, error: HostError) -> None:
        """End a host's run with what is wrong with it."""
        record = self.records[host.name]
        record.error = error
        self._tell(host, record.step, StepState.FAILED, error.message)
        bound = self.settings.max_failures
        failed = sum(record.error is not None for record in self.records.values())
        if bound is not None and failed > bound:
            self._stopping.set()

    def skip(self, host: Host, reason: str) -> None:
        """End a host's run for a reason that is not its own."""
        self.records[host.name].skipped = reason

    def close(self) -> None:
        """End the connections for good; who is still at work on a host gets no further."""
        for session in self._sessions.values():
            session.close()

    def _each(self, hosts: Sequence[Host], work: Callable[[Host], None]) -> None:
        if not hosts:
            return

        def run(host: Host) -> None:
            with self._kept(host):
                work(host)

        with ThreadPoolExecutor(min(self.settings.parallel, len(hosts)), "host") as pool:
            try:
                # Their own errors are kept by host; anything else is a defect and ends the run.
                for future in [pool.submit(run, host) for host in hosts]:
                    future.result()
            except BaseException:
                # So does Ctrl-C, and nobody waits for commands that may take half an hour.
                pool.shutdown(wait=False, cancel_futures=True)
                self.close()
                raise

    @contextmanager
    def _kept(self, host: Host) -> Iterator[None]:
        try:
            yield
        except HostError as error:
            self.give_up(host, error)
        except FarmError as error:
            self.give_up(host, HostError(f"{host.name}: {error.message}"))

    def _carry_out(self, host: Host, steps: Sequence[Step]) -> None:
        session, record = self._sessions[host.name], self.records[host.name]
        # One question for all: a host that needs nothing is asked once.
        session.facts([fact for step in steps for fact in step.reads])
        already = len(record.changes)
        for step in steps:
            if self._stopping.is_set():
                record.skipped = "too many other hosts failed"
                return
            self._begin(host, step.name, StepState.READING)
            facts = session.facts(step.reads)
            changed = False
            for command in step.plan(facts):
                changed = True
                self._tell(host, step.name, StepState.CHANGING, str(command))
                if not self.settings.dry_run:
                    session.change(host, command)
                record.changes.append(Change(step=step.name, command=str(command)))
            follows = self.settings.dry_run and len(record.changes) > already
            if step.follows and follows and not changed:
                changed = True
                record.changes.append(Change(step=step.name, command=step.follows))
            self._tell(host, step.name, StepState.CHANGED if changed else StepState.UNCHANGED)

    def _begin(self, host: Host, step: str, state: StepState) -> None:
        self.records[host.name].step = step
        self._tell(host, step, state)

    def _tell(self, host: Host, step: str, state: StepState, detail: str = "") -> None:
        self._progress.told(StepEvent(host=host.name, step=step, state=state, detail=detail))


class _Session:
    """One host's connection, and what is known of the host since it was last changed."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._known: dict[str, Any] = {}
        self._ended = False

    def facts(self, wanted: Sequence[Fact[Any]]) -> Facts:
        missing = {fact.name: fact for fact in wanted if fact.name not in self._known}
        for sudo in (False, True):
            asked = [fact for fact in missing.values() if fact.sudo is sudo]
            if asked:
                self._check_open()
                told = self._transport.run(
                    Run(
                        text=question(asked),
                        sudo=sudo,
                        timeout_s=_FACTS_TIMEOUT_S,
                        shown=f"facts: {', '.join(fact.name for fact in asked)}",
                    )
                )
                self._known |= answers(told, asked)
        return Facts(self._known)

    def change(self, host: Host, command: Command) -> None:
        self._check_open()
        # Even one that fails may have changed something.
        self._known.clear()
        if isinstance(command, Put):
            self._transport.put(command)
            return
        result = self._transport.run(command)
        if result.exit_code not in command.expected:
            raise _failed(host, command, result)

    def close(self) -> None:
        self._ended = True
        self._transport.close()

    def _check_open(self) -> None:
        # A transport would connect again.
        if self._ended:
            raise HostError("the run was ended", fix="run this again: it goes on where it stopped")


def _failed(host: Host, command: Run, result: Result) -> CommandFailedError:
    words = (result.stderr.strip() or result.stdout.strip()).splitlines()[-3:]
    said = " / ".join(printable(line, _LINE) for line in words)
    full = "No space left on device" in result.stderr + result.stdout
    return CommandFailedError(
        f"{host.name}: `{command}` ended with exit code {result.exit_code}: {said or 'no word'}",
        fix="the host's disk is full: free space there (`df -h`), then run this again; it goes on"
        " where it stopped"
        if full
        else "see what it says, mend it there, and run this again; it goes on where it stopped",
    )
