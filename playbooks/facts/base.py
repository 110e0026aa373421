"""What a fact is: a command that changes nothing, and a pure parser of what it prints."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from playbooks.commands import Result

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact(Generic[T]):
    """Something to know about a host.

    `command` is a shell text that must change nothing and end within seconds; all facts that
    a step reads are asked in one round trip. With `sudo` it runs as root. `parse` never
    raises on garbage: it returns what says "not known" for its type. Two facts are the same
    if their names are, so what `command` depends on belongs into the name.
    """

    name: str
    command: str
    parse: Callable[[Result], T]
    sudo: bool = False


class Facts:
    """The facts of one host at one moment."""

    def __init__(self, known: Mapping[str, Any]) -> None:
        self._known = dict(known)

    def __getitem__(self, fact: Fact[T]) -> T:
        """Return what is known; asking for a fact that was not read is a defect."""
        value: T = self._known[fact.name]
        return value

    def __contains__(self, fact: Fact[Any]) -> bool:
        return fact.name in self._known
