"""The runner: steps in order, hosts side by side, every outcome kept."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from farm.inventory import Host
from playbooks.commands import Command, Put, Result, Run
from playbooks.facts.base import Fact, Facts
from playbooks.outcomes import HostStatus
from playbooks.progress import StepEvent, StepState
from playbooks.runner import Runner, RunnerSettings
from playbooks.steps.base import Step
from playbooks.transport import HostError
from tests.unit.playbooks.hosts import LocalHost, host

WAIT_S = 20.0


def content(file: str) -> Fact[str]:
    return Fact(name=f"content {file}", command=f"cat {file} 2>/dev/null", parse=_stdout)


def _stdout(result: Result) -> str:
    return result.stdout


def holds(file: str, text: str) -> Step:
    """A step after which a file has a content."""
    fact = content(file)

    def plan(facts: Facts) -> Iterator[Command]:
        if facts[fact] != text:
            yield Run(text=f"printf %s '{text}' > {file}")

    return Step(name=f"write {file}", reads=[fact], plan=plan)


def fails(text: str = "exit 3", name: str = "fail") -> Step:
    def plan(_: Facts) -> Iterator[Command]:
        yield Run(text=text)

    return Step(name=name, plan=plan)


class Told:
    """Progress that is kept."""

    def __init__(self) -> None:
        self.events: list[StepEvent] = []

    def told(self, event: StepEvent) -> None:
        self.events.append(event)

    def states(self, host: str) -> list[tuple[str, StepState]]:
        return [(e.step, e.state) for e in self.events if e.host == host]


class Shelf:
    """Hosts a, b, ... in folders, and runners over them."""

    def __init__(self, folder: Path, names: str) -> None:
        self.hosts = [host(name) for name in names]
        self.transports = {name: LocalHost(folder / name) for name in names}
        self.told = Told()

    def runner(self, **settings: object) -> Runner:
        return Runner(
            self.hosts,
            connect=lambda host: self.transports[host.name],
            settings=RunnerSettings(**settings),  # type: ignore[arg-type]
            progress=self.told,
        )

    def run(self, steps: Sequence[Step], **settings: object) -> Runner:
        runner = self.runner(**settings)
        runner.phase(lambda _: steps)
        return runner


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path, "abc")


def statuses(runner: Runner) -> dict[str, HostStatus]:
    return {name: record.status for name, record in runner.records.items()}


def test_a_second_run_changes_nothing_and_asks_once(shelf: Shelf) -> None:
    steps = [holds("one", "1"), holds("two", "2")]
    first = shelf.run(steps)
    assert set(statuses(first).values()) == {HostStatus.CHANGED}
    assert [change.step for change in first.records["a"].changes] == ["write one", "write two"]
    for transport in shelf.transports.values():
        transport.commands.clear()
    second = shelf.run(steps)
    assert set(statuses(second).values()) == {HostStatus.UNCHANGED}
    assert all(len(t.commands) == t.questions == 1 for t in shelf.transports.values())


def test_a_dry_run_tells_the_plan_and_changes_nothing(shelf: Shelf) -> None:
    runner = shelf.run([holds("one", "1")], dry_run=True)
    assert [c.command for c in runner.records["b"].changes] == ["printf %s '1' > one"]
    assert not (shelf.transports["b"].folder / "one").exists()


def test_facts_are_read_anew_after_a_change(shelf: Shelf) -> None:
    runner = shelf.run([holds("one", "1"), holds("one", "2"), holds("one", "2")])
    assert [c.command for c in runner.records["a"].changes] == [
        "printf %s '1' > one",
        "printf %s '2' > one",
    ]


def test_a_failed_host_stops_alone_and_is_left_out_of_later_phases(shelf: Shelf) -> None:
    runner = shelf.runner()
    runner.phase(lambda h: [fails("echo no >&2; exit 3") if h.name == "b" else holds("one", "1")])
    runner.phase(lambda _: [holds("two", "2")])
    assert statuses(runner) == {
        "a": HostStatus.CHANGED,
        "b": HostStatus.FAILED,
        "c": HostStatus.CHANGED,
    }
    error = runner.records["b"].error
    assert error is not None
    assert "b: `echo no" in error.message
    assert "exit code 3: no" in error.message
    assert error.fix
    assert not (shelf.transports["b"].folder / "two").exists()
    assert shelf.told.states("b")[-1] == ("fail", StepState.FAILED)


def test_a_full_disk_is_named_with_its_fix(shelf: Shelf) -> None:
    runner = shelf.run([fails("echo 'cp: x: No space left on device' >&2; exit 1")])
    error = runner.records["a"].error
    assert error is not None
    assert "disk is full" in error.fix


def test_a_host_that_is_cut_off_is_completed_by_the_next_run(shelf: Shelf) -> None:
    steps = [holds("one", "1"), holds("two", "2"), holds("three", "3")]
    shelf.transports["c"].breaks_at = "> two"
    first = shelf.run(steps)
    assert statuses(first)["c"] is HostStatus.FAILED
    assert first.records["c"].step == "write two"
    second = shelf.run(steps)
    assert statuses(second) == {
        "a": HostStatus.UNCHANGED,
        "b": HostStatus.UNCHANGED,
        "c": HostStatus.CHANGED,
    }
    assert [c.step for c in second.records["c"].changes] == ["write two", "write three"]


def test_too_many_failures_stop_the_others_before_their_next_step(shelf: Shelf) -> None:
    def steps(of: Host) -> Sequence[Step]:
        return [fails()] if of.name == "a" else [holds("one", "1")]

    runner = shelf.runner(max_failures=0, parallel=1)
    runner.phase(steps)
    assert statuses(runner) == {
        "a": HostStatus.FAILED,
        "b": HostStatus.SKIPPED,
        "c": HostStatus.SKIPPED,
    }


@pytest.mark.parametrize("parallel", [1, 2])
def test_at_most_so_many_hosts_are_worked_on_at_once(shelf: Shelf, parallel: int) -> None:
    lock, now, most = threading.Lock(), 0, 0

    def plan(_: Facts) -> Iterator[Command]:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        yield Run(text="true")
        with lock:
            now -= 1

    shelf.run([Step(name="count", plan=plan)], parallel=parallel)
    assert most <= parallel


def test_an_interrupt_ends_the_work_on_all_hosts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf(tmp_path, "ab")
    at_work, closed = threading.Event(), threading.Event()

    def interrupted(_: Run | Put) -> None:
        assert at_work.wait(WAIT_S)
        raise KeyboardInterrupt

    def working(_: Run | Put) -> None:
        at_work.set()
        assert closed.wait(WAIT_S)

    shelf.transports["a"].meets = interrupted
    shelf.transports["b"].meets = working
    monkeypatch.setattr(shelf.transports["b"], "close", closed.set)
    with pytest.raises(KeyboardInterrupt):
        shelf.run([holds("one", "1")])
    assert shelf.transports["b"].questions == len(shelf.transports["b"].commands) == 1


def test_a_plan_may_refuse_its_host(shelf: Shelf) -> None:
    def plan(_: Facts) -> Iterator[Command]:
        raise HostError("the host is too small", fix="take a larger one")
        yield

    runner = shelf.run([Step(name="check", plan=plan), holds("one", "1")])
    error = runner.records["a"].error
    assert error is not None
    assert (error.message, error.fix) == ("the host is too small", "take a larger one")


def test_secrets_are_not_in_what_is_told(shelf: Shelf) -> None:
    def plan(_: Facts) -> Iterator[Command]:
        yield Put(content=b"hush", to="/token", mode=0o600)

    runner = shelf.run([Step(name="token", plan=plan)])
    told = repr(shelf.told.events) + repr(runner.records) + repr(shelf.transports["a"].commands)
    assert "hush" not in told


def test_reading_leaves_out_hosts_that_do_not_answer(shelf: Shelf) -> None:
    shelf.transports["b"].breaks_at = "cat"
    runner = shelf.runner()
    known = runner.read(lambda _: [content("one")])
    assert sorted(known) == ["a", "c"]
    assert statuses(runner)["b"] is HostStatus.FAILED
