"""Units are enabled, started and handed over where they are not, and else left alone."""

from pathlib import Path

import pytest

from playbooks import layout, services, units
from playbooks.commands import Run
from playbooks.facts.files import FileState, Kind, file_state, file_states
from playbooks.facts.firewall import FIREWALL
from playbooks.facts.services import ServiceState, service_state
from playbooks.facts.units import ABSENT, UnitState, unit_state, unit_states
from playbooks.steps.files import digest_of
from playbooks.steps.services import (
    handed_over,
    left,
    mounted,
    restart,
    started,
    stopped,
    unit_files,
    waited_for,
    walled,
)
from tests.unit.playbooks.hosts import LocalHost
from tests.unit.playbooks.plans import planned, told

NODE = services.node()
OLD, NEW = services.gateway("a"), services.gateway("b")
ENABLE = "sudo systemctl enable --quiet farm-node.service"
RESTART = "sudo systemctl restart farm-node.service"


def state(active: str = "active", *, enabled: bool = True, current: bool = True) -> ServiceState:
    unit = UnitState(loaded=True, enabled=enabled, active=active)
    return ServiceState(unit=unit, current=current)


RUNS = state()
STALE = state(current=False)
IDLE = state("inactive", enabled=False)


@pytest.mark.parametrize(
    ("now", "anew", "commands"),
    [
        (RUNS, False, []),
        (RUNS, True, []),
        (STALE, False, []),
        (STALE, True, [RESTART]),
        (IDLE, False, [ENABLE, RESTART]),
        (state("failed"), False, [RESTART]),
        (state("activating"), False, [RESTART]),
        (state(enabled=False), True, [ENABLE]),
    ],
)
def test_a_service_is_started(now: ServiceState, anew: bool, commands: list[str]) -> None:
    assert told(started(NODE, anew=anew), (service_state(NODE), now)) == commands


def test_what_can_take_its_inputs_anew_is_not_restarted() -> None:
    wall = services.firewall()
    step = started(wall, anew=True)
    assert told(step, (service_state(wall), STALE)) == [f"sudo systemctl reload {wall.unit}"]


def test_a_service_that_does_not_start_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, text in {
        "systemctl": 'test "$1" = reset-failed',
        "journalctl": "echo ray: no such port",
    }.items():
        (tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tools), prepend=":")
    result = LocalHost(tmp_path / "host").run(restart(NODE.unit))
    assert result.exit_code == 1
    assert "ray: no such port" in result.stderr


HANDOVER = [
    ("systemctl restart ", NEW),
    ("systemctl enable ", NEW),
    ("systemctl disable ", OLD),
    ("SIGUSR1", OLD),
]


TOLD = file_state(services.retired(OLD.unit))


@pytest.mark.parametrize("done", range(5))
def test_a_handover_goes_on_wherever_it_was_interrupted(done: int) -> None:
    before = state(enabled=done < 3)
    after = state("active" if done > 0 else "inactive", enabled=done > 1)
    known = ((service_state(OLD), before), (service_state(NEW), after))
    told_to_leave = FileState(kind=Kind.FILE) if done > 3 else FileState()
    commands = told(handed_over(OLD, NEW), *known, (TOLD, told_to_leave))
    for command, (what, service) in zip(commands, HANDOVER[done:], strict=True):
        assert what in command
        assert service.unit in command


def test_an_instance_that_is_still_leaving_is_told_once() -> None:
    known = (service_state(OLD), state(enabled=False))
    assert len(told(left(OLD), known, (TOLD, FileState()))) == 1
    assert told(left(OLD), known, (TOLD, FileState(kind=Kind.FILE))) == []


@pytest.mark.parametrize(("in_force", "reloads"), [(True, 0), (None, 0), (False, 1)])
def test_rules_that_somebody_flushed_are_loaded_again(in_force: bool | None, reloads: int) -> None:
    wall = services.firewall()
    commands = told(walled(), (service_state(wall), RUNS), (FIREWALL, in_force))
    assert commands == [f"sudo systemctl reload {wall.unit}"] * reloads


@pytest.mark.parametrize(
    ("active", "waits"), [("active", 1), ("deactivating", 1), ("inactive", 0), ("failed", 0)]
)
def test_a_unit_that_was_told_to_end_is_waited_for(active: str, waits: int) -> None:
    known = (unit_state(OLD.unit), UnitState(active=active))
    assert len(told(waited_for(OLD.unit), known)) == waits


@pytest.mark.parametrize(
    ("now", "count"),
    [
        (UnitState(loaded=True, enabled=True, active="active"), 0),
        (UnitState(loaded=True, enabled=True), 1),
        (UnitState(loaded=True, active="active"), 1),
        (ABSENT, 1),
    ],
)
def test_a_mount_is_made_once(now: UnitState, count: int) -> None:
    commands = told(mounted(units.RAY_MOUNT), (unit_state(units.RAY_MOUNT), now))
    assert commands == [f"sudo systemctl enable --now --quiet {units.RAY_MOUNT}"][:count]


@pytest.mark.parametrize(
    ("now", "count"),
    [
        (ABSENT, 0),
        (UnitState(loaded=True), 0),
        (UnitState(loaded=True, active="failed"), 0),
        (UnitState(loaded=True, enabled=True), 1),
        (UnitState(loaded=True, active="activating"), 1),
        (UnitState(loaded=True, active="active"), 1),
    ],
)
def test_what_runs_or_would_at_a_boot_is_stopped(now: UnitState, count: int) -> None:
    commands = told(stopped([NODE.unit]), (unit_state(NODE.unit), now))
    assert commands == ["sudo systemctl disable --now --quiet farm-node.service"][:count]


RELOAD = Run(text="systemctl daemon-reload", sudo=True)
TEXT = "[Unit]\n"
THERE = FileState(kind=Kind.FILE, mode=0o644, owner="root:root", sha256=digest_of(TEXT.encode()))


@pytest.mark.parametrize("unit", [NODE.unit, units.GATEWAY_TEMPLATE])
@pytest.mark.parametrize(
    ("there", "needs_reload", "reloads", "puts"),
    [(True, False, 0, 0), (True, True, 1, 0), (False, False, 1, 1)],
)
def test_systemd_reads_units_that_have_changed_even_in_a_run_before(
    unit: str, there: bool, needs_reload: bool, reloads: int, puts: int
) -> None:
    path = f"{layout.UNITS}/{unit}"
    loaded = [unit] if unit == NODE.unit else [OLD.unit, NEW.unit]
    states = {name: UnitState(loaded=True) for name in loaded}
    states[loaded[0]] = UnitState(loaded=True, needs_reload=needs_reload)
    commands = planned(
        unit_files({unit: TEXT}),
        (file_states(path), {path: THERE} if there else {}),
        (unit_states(*loaded), states),
    )
    assert commands.count(RELOAD) == reloads
    assert len(commands) == reloads + puts
    assert commands[-1:] == [RELOAD][:reloads]
