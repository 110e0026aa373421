"""Checks of hosts against each other."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from playbooks.facts.base import Facts
from playbooks.facts.machine import MACHINE, Machine
from playbooks.facts.python import PYTHON
from playbooks.findings import Finding, Severity

Key = TypeVar("Key")
Value = TypeVar("Value")

# So many hosts are named in one sentence.
_NAMED = 3


def compare(shelf: Mapping[str, Facts]) -> Iterator[Finding]:
    """Judge what hosts, by name, must have in common and what they must not."""
    yield from _python(shelf)
    yield from _twins(shelf)


def _python(shelf: Mapping[str, Facts]) -> Iterator[Finding]:
    """Ray refuses to join Pythons of different minor versions, and pickles differ too."""
    versions = {
        host: version
        for host, facts in shelf.items()
        if PYTHON in facts and (version := facts[PYTHON].version) is not None
    }
    minors = _groups(versions, lambda version: version[:2])
    if len(minors) > 1:
        most = max(minors, key=lambda minor: (len(minors[minor]), minor))
        for minor, hosts in minors.items():
            for host in hosts if minor != most else ():
                yield Finding(
                    host=host,
                    check="python equal",
                    severity=Severity.ERROR,
                    meaning=f"it has Python {_dotted(minor)}, {len(minors[most])} other hosts have"
                    f" {_dotted(most)}: Ray does not join them",
                    fix="write the same system to every card",
                )
        return
    patches = _groups(versions, lambda version: version)
    told = ", ".join(f"{_dotted(patch)} on {len(hosts)}" for patch, hosts in patches.items())
    for host in versions:
        same = len(patches) == 1
        yield Finding(
            host=host,
            check="python equal",
            severity=Severity.OK if same else Severity.INFO,
            meaning=f"Python {told} of {len(versions)} hosts"
            + ("" if same else ": different patch levels work together"),
        )


def _twins(shelf: Mapping[str, Facts]) -> Iterator[Finding]:
    machines = {host: facts[MACHINE] for host, facts in shelf.items() if MACHINE in facts}
    for host, others in _sharing(machines, lambda machine: machine.boot_id):
        yield Finding(
            host=host,
            check="own machine",
            severity=Severity.ERROR,
            meaning=f"it is the same machine as {others}: two entries of the inventory lead to it",
            fix="remove one of them from the inventory",
        )
    for host, others in _sharing(machines, lambda machine: machine.host_key):
        yield Finding(
            host=host,
            check="own host key",
            severity=Severity.WARNING,
            meaning=f"it shows the same SSH host key as {others}, as copies of one card do: each"
            " can pose as the other",
            fix="make new ones there: `sudo rm /etc/ssh/ssh_host_* && sudo dpkg-reconfigure"
            " openssh-server`, then `farm hosts trust --replace`",
        )
    for host, others in _sharing(machines, lambda machine: machine.machine_id):
        yield Finding(
            host=host,
            check="own machine id",
            severity=Severity.INFO,
            meaning=f"it has the same machine id as {others}, as copies of one card do: where"
            " systemd-networkd asks for them, a DHCP server may give both one address",
            fix="make a new one there: `sudo rm /etc/machine-id /var/lib/dbus/machine-id; sudo"
            " systemd-machine-id-setup`, then reboot",
        )


def _sharing(
    machines: Mapping[str, Machine], key: Callable[[Machine], str]
) -> Iterator[tuple[str, str]]:
    """Return each host that shares a key with others, and those others in words."""
    for shared, hosts in _groups(machines, key).items():
        for host in hosts if shared and len(hosts) > 1 else ():
            others = [other for other in hosts if other != host]
            more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
            yield host, ", ".join(others[:_NAMED]) + more


def _groups(values: Mapping[str, Value], key: Callable[[Value], Key]) -> dict[Key, list[str]]:
    groups: dict[Key, list[str]] = defaultdict(list)
    for host, value in values.items():
        groups[key(value)].append(host)
    return groups


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)
