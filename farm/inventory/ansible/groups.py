"""Ansible's hosts and groups, and which variables a host has in the end."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final

from farm.inventory.ranges import MOST_HOSTS, expanded

ALL: Final = "all"
UNGROUPED: Final = "ungrouped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A host with the groups it is in, parents first, and all variables that it has."""

    name: str
    groups: tuple[str, ...]
    variables: Mapping[str, Any]


@dataclass(slots=True)
class _Group:
    parents: set[str] = field(default_factory=set)
    variables: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class _Host:
    groups: set[str] = field(default_factory=set)
    variables: dict[str, Any] = field(default_factory=dict)


class Groups:
    """An inventory of Ansible's while it is read; what is said twice adds up."""

    def __init__(self) -> None:
        # Hosts in the file's order.
        self._hosts: dict[str, _Host] = {}
        self._groups: dict[str, _Group] = {ALL: _Group()}

    def add_group(self, name: str, *, parent: str = ALL) -> None:
        """Make a group known, and what it is part of."""
        group = self._groups.setdefault(name, _Group())
        if name != ALL:
            self._groups.setdefault(parent, _Group())
            group.parents.add(parent)

    def set_variables(self, group: str, variables: Mapping[str, Any]) -> None:
        """Give all hosts of a group variables."""
        self.add_group(group)
        self._groups[group].variables |= variables

    def add_hosts(self, pattern: str, group: str, variables: Mapping[str, Any]) -> None:
        """Put the hosts of a name or range into a group.

        Raises:
            ValueError: the range is none, or the hosts are more than a farm can have.
        """
        self.add_group(group)
        for name in expanded(pattern):
            host = self._hosts.setdefault(name, _Host())
            host.groups.add(group)
            host.variables |= variables
        if len(self._hosts) > MOST_HOSTS:
            raise ValueError(f"makes more than {MOST_HOSTS} hosts")

    def members(self) -> Iterator[Member]:
        """Yield every host. Its own variables win over a group's, a child's over its parent's.

        Of groups that are equally deep the later one in the alphabet wins, as in Ansible.

        Raises:
            ValueError: groups contain each other.
        """
        depths = self._depths()
        for name, host in self._hosts.items():
            groups = sorted(self._around(host.groups), key=lambda group: (depths[group], group))
            variables: dict[str, Any] = {}
            for group in groups:
                variables |= self._groups[group].variables
            yield Member(name=name, groups=tuple(groups), variables=variables | host.variables)

    def _around(self, inner: set[str]) -> set[str]:
        """Return some groups and all that contain them."""
        found: set[str] = set()
        rest = list(inner)
        while rest:
            if (name := rest.pop()) not in found:
                found.add(name)
                rest.extend(self._groups[name].parents)
        return found

    def _depths(self) -> dict[str, int]:
        """Return how far below `all` each group is, by its longest way."""
        parents = {name: group.parents for name, group in self._groups.items()}
        depths: dict[str, int] = {}
        try:
            for name in TopologicalSorter(parents).static_order():
                depths[name] = 1 + max((depths[parent] for parent in parents[name]), default=-1)
        except CycleError as error:
            raise ValueError(f"groups contain each other: {', '.join(error.args[1])}") from error
        return depths
