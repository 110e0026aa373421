"""Removes the farm from hosts."""

from collections.abc import Iterator, Sequence
from typing import Final

from farm.inventory import Host
from playbooks import layout, services, units
from playbooks.commands import Command, Run, sh
from playbooks.facts.base import Facts
from playbooks.facts.users import user
from playbooks.runner import Runner
from playbooks.services import STARTED
from playbooks.steps.base import Step
from playbooks.steps.files import absent
from playbooks.steps.services import NO_TABLE, stopped

# What is left on a host, for whoever asks: the distribution's packages may be others' by now.
LEFT: Final = "the distribution's package nftables"

_UNITS = (
    *(services.gateway(letter).unit for letter in layout.LETTERS),
    services.node().unit,
    *(services.head(letter).unit for letter in layout.LETTERS),
    services.firewall().unit,
    units.RAY_MOUNT,
)
_UNIT_FILES = (
    services.node().unit,
    services.firewall().unit,
    units.RAY_MOUNT,
    units.HEAD_TEMPLATE,
    units.GATEWAY_TEMPLATE,
)
_USER = user(layout.USER)


def uninstall(runner: Runner) -> None:
    """Stop the gateway, then the nodes, then the head, and remove everything of the farm's.

    A host on which nothing is left of it is left alone.
    """
    leading = [host for host in runner.going if host.role.leads]
    gateways = [services.gateway(letter).unit for letter in layout.LETTERS]
    runner.phase(lambda _: [stopped(gateways)], leading)
    others = [host for host in runner.going if not host.role.leads]
    for hosts in (others, leading):
        runner.phase(_removed, hosts)


def _removed(_: Host) -> Sequence[Step]:
    reload = Run(text="systemctl daemon-reload && systemctl reset-failed", sudo=True)
    return (
        stopped(_UNITS),
        absent(
            "units",
            [f"{layout.UNITS}/{name}" for name in _UNIT_FILES],
            first=[NO_TABLE],
            then=[reload],
        ),
        absent("files", [layout.SETTINGS, layout.SOFTWARE, layout.HOME, STARTED]),
        _no_user(),
    )


def _no_user() -> Step:
    def plan(facts: Facts) -> Iterator[Command]:
        known = facts[_USER]
        if known is not None and known.home == layout.HOME:
            yield Run(text=sh("userdel", layout.USER), sudo=True)

    return Step(name="user", reads=[_USER], plan=plan)
