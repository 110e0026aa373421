"""How far predictions are trusted where a deadline is at stake.

A farm that takes in all that it may just be able to answer in time answers none of it: once
more comes than it can do, everything waits until its deadline, is run at the last moment and
is late by a little. So what waits must leave a margin, and a node is given to a request that
others wait behind only if it is likely to be done.
"""

from dataclasses import dataclass
from typing import Final

from farm.scheduling.tickets import Ticket

# Of the time that is left this share may be filled with predicted work, for the pace of a node
# that does something else beside moves by so much. The other way round, a prediction that is
# too long by no more than that is not held against a request on an idle farm.
SURE: Final = 0.8


@dataclass(frozen=True, slots=True)
class Hopeless:
    """A request with `left_s` left, for which the soonest node needs `takes_s` from now on."""

    entry: Ticket
    left_s: float
    takes_s: float


def share(*, crowded: bool) -> float:
    """Return of what part of the time left a batch may be predicted to take.

    It is `crowded` where others wait behind the request that would go first.
    """
    return SURE if crowded else 1.0


def told(seconds: float) -> str:
    """Return seconds as people are told them, such as `1.2 s` and `30 ms`."""
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"
