"""What a step would do, given what is known of a host."""

from typing import Any

from playbooks.commands import Command
from playbooks.facts.base import Fact, Facts
from playbooks.steps.base import Step


def planned(step: Step, *known: tuple[Fact[Any], Any]) -> list[Command]:
    """Return a step's commands; all that it reads must be among what is known."""
    facts = Facts({fact.name: value for fact, value in known})
    assert all(fact in facts for fact in step.reads)
    return list(step.plan(facts))


def told(step: Step, *known: tuple[Fact[Any], Any]) -> list[str]:
    """Return a step's commands as an operator reads them."""
    return [str(command) for command in planned(step, *known)]
