"""Users of a host."""

from dataclasses import dataclass

from playbooks.commands import Result, sh
from playbooks.facts.base import Fact
from playbooks.facts.reading import whole


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user, by the host's own list and any other that it asks."""

    uid: int
    gid: int
    home: str
    shell: str
    groups: frozenset[str]


def _parse(told: Result) -> User | None:
    lines = told.stdout.splitlines()
    fields = lines[0].split(":") if lines else []
    if len(fields) != 7:
        return None
    uid, gid = whole(fields[2]), whole(fields[3])
    if uid is None or gid is None:
        return None
    groups = frozenset(lines[1].split()) if len(lines) > 1 else frozenset()
    return User(uid=uid, gid=gid, home=fields[5], shell=fields[6], groups=groups)


def user(name: str) -> Fact[User | None]:
    """Return the question who a user is; None if there is none of the name."""
    return Fact(
        name=f"user {name}",
        command=f"{sh('getent', 'passwd', name)} && {sh('id', '-Gn', name)}",
        parse=_parse,
    )
