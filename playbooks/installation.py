"""Brings software to hosts without touching what runs there."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from farm.inventory import Host
from playbooks import layout
from playbooks.apt_state import AptState, apt_state
from playbooks.cache import CachedFile
from playbooks.commands import Put
from playbooks.debs import by_hand, debs
from playbooks.facts.base import Facts
from playbooks.facts.cpu import CPU
from playbooks.facts.platform import PLATFORM
from playbooks.facts.python import PYTHON
from playbooks.pip_failures import NoWheelError
from playbooks.release import Release, release_for
from playbooks.requirements import Target, onnxruntime_versions
from playbooks.runner import Runner
from playbooks.services import STAMP_SCRIPT
from playbooks.steps.account import account
from playbooks.steps.base import Step
from playbooks.steps.files import Folder, files, folders
from playbooks.steps.packages import PACKAGES, installed, missing
from playbooks.steps.software import RELEASES, chosen, environment, wheels
from playbooks.transport import HostError
from playbooks.wheelhouse import Wheelhouse

_OWN = f"{layout.USER}:{layout.USER}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Supplies:
    """What the operator's machine has for hosts; `wheel` is the farm's own.

    `tell` is told what the operator waits for.
    """

    wheelhouse: Wheelhouse
    wheel: CachedFile
    cache: Path
    tell: Callable[[str], None]


def install(runner: Runner, supplies: Supplies, *, firewall: bool) -> Mapping[str, Release]:
    """Bring packages, the farm's user, its folders and a release that runs to every host.

    Returns the release that each host has then; hosts that failed have none.
    """
    _install_packages(runner, supplies, firewall=firewall)
    runner.phase(_ground)
    return _install_releases(runner, supplies)


def _install_packages(runner: Runner, supplies: Supplies, *, firewall: bool) -> None:
    known = runner.read(lambda _: [PACKAGES])
    lacking = {
        name: found for name, facts in known.items() if (found := missing(facts, firewall=firewall))
    }
    fetched: Mapping[str, Sequence[CachedFile]] = {}
    if lacking and not runner.settings.dry_run:
        state = apt_state()
        told = runner.read(lambda host: [state] if host.name in lacking else [])
        fetched = runner.each(
            lambda host: _debs(host, lacking[host.name], told[host.name][state], supplies),
            [host for host in runner.going if host.name in lacking],
        )
    runner.phase(lambda host: [installed(fetched.get(host.name, ()), firewall=firewall)])


def _debs(
    host: Host, packages: Sequence[str], state: AptState | None, supplies: Supplies
) -> Sequence[CachedFile]:
    if state is None:
        raise HostError(
            f"{host.name}: it lacks {', '.join(packages)} and does not tell what apt knows there",
            fix=by_hand(packages),
        )
    return debs(supplies.cache, packages, state, tell=supplies.tell)


def _ground(host: Host) -> Sequence[Step]:
    """Return the steps that make what everything else stands on."""
    public = (layout.SOFTWARE, layout.RELEASES, layout.WHEELS, layout.MODELS, layout.SETTINGS)
    # That for Ray's files is its mount's to make.
    inner = (layout.NODE, layout.GATEWAY, layout.GCS)
    return (
        account(host.name),
        folders(
            "folders",
            [
                *(Folder(path=path) for path in public),
                Folder(path=layout.HOME, mode=0o750, owner=_OWN),
            ],
        ),
        folders(
            "folders of services",
            [Folder(path=path, mode=0o750, owner=_OWN) for path in inner],
            user=layout.USER,
        ),
        files("stamp", [Put(content=STAMP_SCRIPT.encode(), to=layout.STAMP, mode=0o755)]),
    )


def _install_releases(runner: Runner, supplies: Supplies) -> Mapping[str, Release]:
    """Install the first release of each host's CPU class that runs there."""
    known = runner.read(lambda _: [PLATFORM, PYTHON, CPU])
    candidates = runner.each(lambda host: _candidates(host, known[host.name], supplies))
    pythons = {name: facts[PYTHON].path for name, facts in known.items()}
    while True:
        picked, lacking = _picked(runner, candidates)
        if not lacking:
            return picked
        _try(runner, supplies, lacking, picked, candidates, pythons)
        if runner.settings.dry_run:
            return picked


def _picked(
    runner: Runner, candidates: Mapping[str, Sequence[Release]]
) -> tuple[Mapping[str, Release], Sequence[Host]]:
    """Return the release that each host has or is to try next, and the hosts that lack it."""
    lies = {name: facts[RELEASES] for name, facts in runner.read(lambda _: [RELEASES]).items()}
    picked = runner.each(lambda host: chosen(host.name, candidates[host.name], lies[host.name]))
    lacking = [
        host for host in runner.going if f"{picked[host.name].id}/.complete" not in lies[host.name]
    ]
    return picked, lacking


def _try(
    runner: Runner,
    supplies: Supplies,
    hosts: Sequence[Host],
    picked: Mapping[str, Release],
    candidates: Mapping[str, list[Release]],
    pythons: Mapping[str, str],
) -> None:
    """Install what was picked, unless there is no such wheel: then it is no candidate more."""

    def fetched(host: Host) -> Sequence[CachedFile] | None:
        release = picked[host.name]
        try:
            return release.wheels(supplies.wheelhouse)
        except NoWheelError:
            if len(candidates[host.name]) == 1:
                raise
            candidates[host.name].remove(release)
            return None

    pushed: Mapping[str, Sequence[CachedFile] | None] = {}
    if not runner.settings.dry_run:
        pushed = runner.each(fetched, hosts)
    runner.phase(
        lambda host: (
            wheels(pushed.get(host.name) or (), picked[host.name]),
            environment(picked[host.name], python=pythons[host.name]),
        ),
        [host for host in hosts if pushed.get(host.name, ()) is not None],
    )


def _candidates(host: Host, known: Facts, supplies: Supplies) -> list[Release]:
    """Return the releases that a host of this machine and Python could run, the best first."""
    platform, minor = known[PLATFORM], known[PYTHON].minor
    if minor is None or platform.glibc is None:
        raise HostError(
            f"{host.name}: it does not tell its Python or its C library",
            fix="run `farm doctor`, which says what is missing",
        )
    target = Target(
        arch=platform.machine, python=minor, glibc=(platform.glibc[0], platform.glibc[1])
    )
    return [
        release_for(
            "head" if host.role.leads else "node",
            target,
            onnxruntime=version,
            wheel=supplies.wheel,
        )
        for version in onnxruntime_versions(known[CPU].cpu_class)
    ]
