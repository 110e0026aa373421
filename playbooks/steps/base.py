"""What a step is: the facts it reads, and a generator of the commands that are still needed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from playbooks.commands import Command
from playbooks.facts.base import Fact, Facts

# Given a host's facts as they are now, yield what brings it to where it should be: nothing
# where it is there already. It only reads its arguments, so a dry run is the same call.
Plan: TypeAlias = Callable[[Facts], Iterator[Command]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One change to one host, made for it: a plan knows its host and its part in the farm.

    Facts are read anew before the step if an earlier step changed the host. A step that a
    connection or power loss interrupts must, from whatever it left, be completed by the next
    run. A plan that sees that its host cannot go on raises `HostError` with the fix. `follows`
    is what a dry run tells where earlier steps would change what this one looks at.
    """

    name: str
    reads: Sequence[Fact[Any]] = ()
    plan: Plan
    follows: str = ""
