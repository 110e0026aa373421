"""What is done to a farm in a soak, round by round: a pure function of a seed.

A round is the same whichever ran before it, so one that failed can be run again by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random


class Fault(StrEnum):
    """What happens to a farm under load."""

    # A node's process ends, stands still until it is replaced, or stands still for a moment.
    KILL = "kill"
    HANG = "hang"
    PAUSE = "pause"
    # Its operator replaces it, or takes it out for a while.
    RESTART = "restart"
    CORDON = "cordon"
    # A request ends the process that runs it; requests are made of NaN and infinities.
    DEADLY = "deadly"
    POISON = "poison"
    # Clients break off their connections, or send more than can be answered.
    CUT = "cut"
    FLOOD = "flood"


# After these a node has another process: one of them a round, for a request is tried twice.
LOSING = frozenset({Fault.KILL, Fault.HANG, Fault.RESTART, Fault.DEADLY})
HARMLESS = (Fault.PAUSE, Fault.CORDON, Fault.POISON, Fault.CUT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Blow:
    """A fault and the node that it meets; those of clients meet none."""

    fault: Fault
    node: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Blows, one after the other, each once the farm has recovered from the one before.

    What the clients of the round draw by lot, they draw by `seed`.
    """

    number: int
    seed: int
    blows: tuple[Blow, ...]


def round_of(seed: int, number: int, nodes: Sequence[str]) -> Round:
    """Return a round, counted from 0; its blows meet `nodes`.

    As many rounds as there are faults have each fault first in one of them.
    """
    block, place = divmod(number, len(Fault))
    order = list(Fault)
    Random(f"{seed} block {block}").shuffle(order)
    random = Random(f"{seed} round {number}")
    faults = [order[place], *random.sample(HARMLESS, random.randint(0, 2))]
    return Round(
        number=number,
        seed=random.getrandbits(32),
        blows=tuple(_blow(fault, nodes, random) for fault in faults),
    )


def _blow(fault: Fault, nodes: Sequence[str], random: Random) -> Blow:
    of_clients = fault in {Fault.DEADLY, Fault.POISON, Fault.CUT, Fault.FLOOD}
    return Blow(fault=fault, node="" if of_clients else random.choice(nodes))
