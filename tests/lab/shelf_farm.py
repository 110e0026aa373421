"""A farm that `farm bootstrap` made of bare hosts of a lab."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab import Host, Lab
from operator_machine import Ended, Operator


@dataclass(frozen=True, slots=True, kw_only=True)
class ShelfFarm:
    """`first` is how its bootstrap ended; `developer` a folder with what a developer is given.

    `bare_files` and `bare_packages` are what each host had before.
    """

    lab: Lab
    operator: Operator
    head: Host
    nodes: Sequence[Host]
    inventory: Path
    bare_files: Mapping[str, frozenset[str]]
    bare_packages: Mapping[str, frozenset[str]]
    first: Ended
    developer: Path

    @classmethod
    def bootstrapped(cls, lab: Lab, *, nodes: int = 2, tries: int = 1) -> "ShelfFarm":
        """Make a farm of a head and so many nodes, as an operator does.

        With more `tries` than one he runs it again where it failed: Ray gives up on a host that
        is too busy with others to start it within 15 s.
        """
        operator = Operator.of(lab)
        head, *others = lab.bare(1 + nodes, memory_mb=2048)
        inventory = lab.write_inventory(head=head, nodes=others)
        operator.trust(inventory)
        bare_files = {host.name: cls.files(host) for host in (head, *others)}
        bare_packages = {host.name: cls.packages(host) for host in (head, *others)}
        first = operator.bootstrap(inventory)
        for _ in range(tries - 1):
            if first.exit_code:
                first = operator.bootstrap(inventory)
        assert first.exit_code == 0, first.said
        developer = lab.home / "for-alice"
        issued = operator.farm("certs", "issue", "alice", "--folder", developer)
        assert issued.exit_code == 0, issued.said
        return cls(
            lab=lab,
            operator=operator,
            head=head,
            nodes=others,
            inventory=inventory,
            bare_files=bare_files,
            bare_packages=bare_packages,
            first=first,
            developer=developer,
        )

    @property
    def address(self) -> str:
        """Where its gateway listens."""
        return f"{self.head.address}:8001"

    @property
    def hosts(self) -> Sequence[Host]:
        return (self.head, *self.nodes)

    @staticmethod
    def files(host: Host) -> frozenset[str]:
        """Return the paths of everything on a host's disk."""
        return frozenset(host.shell("find / -xdev").splitlines())

    @staticmethod
    def packages(host: Host) -> frozenset[str]:
        """Return the names of the distribution's packages that a host has."""
        return frozenset(host.shell("dpkg-query --show --showformat '${Package}\n'").split())
