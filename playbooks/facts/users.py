"""Users of a host."""

from dataclasses import dataclass

from playbooks.commands import Result, sh
from playbooks.facts.base import Fact
from playbooks.facts.reading import whole


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user, by the host's own list and any other that it asks."""

    uid: int
    home: str
    shell: str


def _parse(told: Result) -> User | None:
    fields = told.stdout.strip().split(":")
    uid = whole(fields[2]) if len(fields) == 7 else None
    return None if uid is None else User(uid=uid, home=fields[5], shell=fields[6])


def user(name: str) -> Fact[User | None]:
    """Return the question who a user is; None if there is none of the name."""
    return Fact(name=f"user {name}", command=sh("getent", "passwd", name), parse=_parse)
