"""Who took a node out of service: an operator, who wants it so, or a rollout that was at it."""

from collections.abc import Iterator

from playbooks import layout, services
from playbooks.commands import Command, Put, Run, script, sh
from playbooks.facts.base import Facts
from playbooks.facts.files import file_states
from playbooks.steps.base import Step

DRAINING = file_states(layout.CORDONED, layout.DRAINED)

_STOP_S = 90.0


def cordoned_by_operator(facts: Facts) -> bool:
    """Say whether a node is to stay out of service whatever is done to it."""
    there = facts[DRAINING]
    return layout.CORDONED in there and layout.DRAINED not in there


def marked() -> Step:
    """Return the step before a node is drained: it tells a later run whose cordon that was."""

    def plan(facts: Facts) -> Iterator[Command]:
        if not cordoned_by_operator(facts) and layout.DRAINED not in facts[DRAINING]:
            yield Put(content=b"", to=layout.DRAINED)

    return Step(name="drain", reads=[DRAINING], plan=plan)


def stopped_and_released() -> Step:
    """Return the step after a node was drained: it is stopped, and will not start cordoned."""

    def plan(facts: Facts) -> Iterator[Command]:
        if layout.DRAINED in facts[DRAINING]:
            yield Run(
                text=script(
                    sh("systemctl", "stop", services.node().unit),
                    # The mark last: without it, a cordon would be an operator's.
                    sh("rm", "-f", layout.CORDONED),
                    sh("rm", "-f", layout.DRAINED),
                ),
                shown="stop the drained node",
                sudo=True,
                timeout_s=_STOP_S,
            )

    return Step(name="stop", reads=[DRAINING], plan=plan)
