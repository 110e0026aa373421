"""systemd's units: their files, and whether they run what they should."""

from collections.abc import Iterator, Mapping, Sequence

from playbooks import layout, services
from playbooks.commands import Command, Put, Run, sh
from playbooks.facts.base import Facts
from playbooks.facts.files import file_state
from playbooks.facts.firewall import FIREWALL
from playbooks.facts.services import service_state
from playbooks.facts.units import ABSENT, unit_state, unit_states
from playbooks.services import Service, retired
from playbooks.steps.base import Step
from playbooks.steps.files import absent, files

# Longer than any unit's own TimeoutStartSec, which says more when it ends.
_START_S = 660.0
_STOP_S = 120.0
# An old gateway's clients go over within its connections' age, then it drains.
_LEAVE_S = 240.0

NO_TABLE = Run(text="nft delete table inet farm 2>/dev/null || true", sudo=True)
_RELOAD = Run(text="systemctl daemon-reload", sudo=True)


def unit_files(units: Mapping[str, str]) -> Step:
    """Return the step that puts units, by name, and has systemd read them."""
    put = files(
        "units",
        [Put(content=text.encode(), to=f"{layout.UNITS}/{name}") for name, text in units.items()],
    )
    # Of a template systemd tells nothing, but of its instances.
    states = unit_states(
        *(name.replace("@.", f"@{letter}.") for name in units for letter in _letters(name))
    )

    def plan(facts: Facts) -> Iterator[Command]:
        stale = list(put.plan(facts))
        yield from stale
        # A run that was interrupted before the reload is completed too.
        if stale or any(state.needs_reload for state in facts[states].values()):
            yield _RELOAD

    return Step(name="units", reads=[*put.reads, states], plan=plan)


def started(service: Service, *, anew: bool = False) -> Step:
    """Return the step after which a service is enabled and runs; `anew`, with its inputs of now.

    Without `anew` a service that runs is left alone. A unit that is up has told systemd so
    itself; one that has not in time fails the step with its last words.
    """

    fact = service_state(service)

    def plan(facts: Facts) -> Iterator[Command]:
        state = facts[fact]
        if not state.unit.enabled:
            yield Run(text=sh("systemctl", "enable", "--quiet", service.unit), sudo=True)
        if state.active and anew and state.stale and service.reloads:
            yield _reload(service)
        elif not state.active or (anew and state.stale):
            yield restart(service.unit)

    name = service.unit.removesuffix(".service")
    follows = f"sudo systemctl restart {service.unit}" if anew and not service.reloads else ""
    return Step(name=f"start {name}", reads=[fact], plan=plan, follows=follows)


def walled() -> Step:
    """Return the step after which the firewall's unit runs and its rules are in force."""
    service = services.firewall()
    start, state = started(service, anew=True), service_state(service)

    def plan(facts: Facts) -> Iterator[Command]:
        yield from start.plan(facts)
        if facts[state].active and facts[FIREWALL] is False:
            yield _reload(service)

    return Step(name=start.name, reads=[*start.reads, FIREWALL], plan=plan)


def no_firewall() -> Sequence[Step]:
    """Return the steps after which the farm filters nothing, if it ever did."""
    unit = services.firewall().unit
    return (
        stopped([unit]),
        absent(
            "no firewall",
            [f"{layout.UNITS}/{unit}", layout.FIREWALL],
            first=[NO_TABLE],
            then=[_RELOAD],
        ),
    )


def mounted(mount: str) -> Step:
    """Return the step after which a mount unit is enabled and mounted; it is never remounted."""
    fact = unit_state(mount)

    def plan(facts: Facts) -> Iterator[Command]:
        state = facts[fact]
        if not state.enabled or state.active != "active":
            yield Run(text=sh("systemctl", "enable", "--now", "--quiet", mount), sudo=True)

    return Step(name="memory for Ray", reads=[fact], plan=plan)


def handed_over(old: Service, new: Service) -> Step:
    """Return the step after which a service runs in place of another instance of it."""
    after, leaving = service_state(new), left(old)

    def plan(facts: Facts) -> Iterator[Command]:
        if not facts[after].active or facts[after].stale:
            yield restart(new.unit)
        if not facts[after].unit.enabled:
            yield Run(text=sh("systemctl", "enable", "--quiet", new.unit), sudo=True)
        yield from leaving.plan(facts)

    return Step(name="hand over", reads=[after, *leaving.reads], plan=plan)


def left(old: Service) -> Step:
    """Return the step after which an instance leaves its clients to the other one.

    It ends by itself when the last has gone over, and does not start at a boot again.
    """
    state, told = service_state(old), file_state(retired(old.unit))

    def plan(facts: Facts) -> Iterator[Command]:
        if facts[state].unit.enabled:
            yield Run(text=sh("systemctl", "disable", "--quiet", old.unit), sudo=True)
        if facts[state].active and not facts[told].exists:
            kill = ("systemctl", "kill", "--signal=SIGUSR1", "--kill-whom=main", old.unit)
            yield Run(text=f"{sh('touch', retired(old.unit))} && {sh(*kill)}", sudo=True)

    return Step(name="leave", reads=[state, told], plan=plan)


def waited_for(unit: str) -> Step:
    """Return the step after which a unit that has been told to end has ended."""
    fact = unit_state(unit)

    def plan(facts: Facts) -> Iterator[Command]:
        if facts[fact].active in ("active", "deactivating"):
            yield Run(
                text=f"while systemctl is-active --quiet {sh(unit)}; do sleep 1; done",
                shown=f"wait for {unit} to end",
                timeout_s=_LEAVE_S,
            )

    return Step(name="wait", reads=[fact], plan=plan)


def restart(unit: str) -> Run:
    """Return what starts a unit, anew if it runs, and says why it could not."""
    # Its own: systemd's about it come last and say less.
    words = sh("journalctl", "--no-pager", "-o", "cat", "-n", "3", f"_SYSTEMD_UNIT={unit}")
    return Run(
        text=f"{sh('rm', '-f', retired(unit))}; systemctl reset-failed {sh(unit)} 2>/dev/null\n"
        f"{sh('systemctl', 'restart', unit)} || {{ {words} >&2; exit 1; }}",
        shown=f"systemctl restart {unit}",
        sudo=True,
        timeout_s=_START_S,
    )


def stopped(units: Sequence[str]) -> Step:
    """Return the step after which units neither run nor start at a boot."""
    states = [unit_state(unit) for unit in units]

    def plan(facts: Facts) -> Iterator[Command]:
        for unit, state in zip(units, states, strict=True):
            known = facts[state]
            if known == ABSENT:
                continue
            if known.enabled or known.active not in ("inactive", "failed"):
                yield Run(
                    text=sh("systemctl", "disable", "--now", "--quiet", unit),
                    sudo=True,
                    timeout_s=_STOP_S,
                )

    return Step(name="stop", reads=states, plan=plan)


def _reload(service: Service) -> Run:
    return Run(text=sh("systemctl", "reload", service.unit), sudo=True)


def _letters(unit: str) -> Sequence[str]:
    return layout.LETTERS if "@." in unit else ("",)
