"""Which of the nodes that could take a batch gets it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from random import Random
from typing import Protocol

# Predictions closer than this are equal: the node that rested longest takes the batch.
INDIFFERENCE = 1.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A node that could take a batch now.

    `rows` is the size that suits it, `completion_s` the predicted seconds until that batch
    is done there, the `backlog_s` of work ahead of it included; `free` says that there is
    none. `last_used` is the sequence number of its last batch. `joules` is what the batch's
    rows would cost there each, None where nobody knows. `in_time` says whether it is
    predicted to meet the deadline of its first request.
    """

    node_id: str
    rows: int
    completion_s: float
    last_used: int
    backlog_s: float = 0.0
    free: bool = True
    joules: float | None = None
    in_time: bool = True


class PlacementPolicy(Protocol):
    """Chooses one of at least one candidate, and says why.

    `patient` policies are asked among nodes that are free and nodes that soon will be, and
    a batch may wait for a node that is quicker than any of them. The others see only the
    free nodes, or only those with an open look-ahead where none is free. One that wants
    `everyone` sees each of them, not a few of every class.
    """

    name: str
    patient: bool
    everyone: bool

    def choose(self, candidates: Sequence[Candidate]) -> tuple[Candidate, str]: ...


class LeastExpectedCompletion:
    """The node that is predicted to be done first; among equals the one that rested longest."""

    name = "least_expected_completion"
    patient = True
    everyone = False

    def choose(self, candidates: Sequence[Candidate]) -> tuple[Candidate, str]:
        if len(candidates) == 1:
            return candidates[0], "the only node with room"
        return _soonest(candidates), f"done first of {len(candidates)}"


class EnergyAware:
    """The node with the fewest joules a row among those that meet the deadline.

    Where none meets it, or of none the joules are known, the one that is done first. It does
    not wait for a thriftier node than those that have room: idle nodes cost joules too.
    """

    name = "energy_aware"
    patient = False
    # Joules are a node's own: boards of one class are not alike in them.
    everyone = True

    def choose(self, candidates: Sequence[Candidate]) -> tuple[Candidate, str]:
        known = [(c.joules, c) for c in candidates if c.in_time and c.joules is not None]
        if not known:
            return _soonest(candidates), f"done first of {len(candidates)}; joules unknown or late"
        least = min(joules for joules, _ in known) * INDIFFERENCE
        thrifty = [c for joules, c in known if joules <= least]
        return _soonest(thrifty), f"fewest joules a row of {len(known)} in time"


class PowerOfTwoChoices:
    """The one with less work ahead of it of two nodes drawn by lot (Mitzenmacher 2001)."""

    name = "power_of_two_choices"
    patient = False
    everyone = True

    def __init__(self, seed: int = 0) -> None:
        self._random = Random(seed)  # noqa: S311 - a lot, not a secret

    def choose(self, candidates: Sequence[Candidate]) -> tuple[Candidate, str]:
        if len(candidates) == 1:
            return candidates[0], "the only node with room"
        drawn = self._random.sample(candidates, 2)
        return min(drawn, key=_by_work), f"less to do than {max(drawn, key=_by_work).node_id}"


class RoundRobin:
    """The node whose last batch is the longest ago, however fast it is."""

    name = "round_robin"
    patient = False
    everyone = False

    def choose(self, candidates: Sequence[Candidate]) -> tuple[Candidate, str]:
        return min(candidates, key=_by_rest), f"next in turn of {len(candidates)}"


# By the name that the configuration gives; made with the seed of what they draw by lot.
POLICIES: Mapping[str, Callable[[int], PlacementPolicy]] = {
    LeastExpectedCompletion.name: lambda _: LeastExpectedCompletion(),
    EnergyAware.name: lambda _: EnergyAware(),
    PowerOfTwoChoices.name: PowerOfTwoChoices,
    RoundRobin.name: lambda _: RoundRobin(),
}


def _soonest(candidates: Sequence[Candidate]) -> Candidate:
    """Return the candidate that is done first; a free node and long rest decide a tie."""
    bound = min((c.completion_s for c in candidates), default=inf) * INDIFFERENCE
    near = [c for c in candidates if c.completion_s <= bound]
    return min(near, key=lambda c: (not c.free, c.last_used, c.node_id))


def _by_work(candidate: Candidate) -> tuple[float, str]:
    return candidate.backlog_s, candidate.node_id


def _by_rest(candidate: Candidate) -> tuple[int, str]:
    return candidate.last_used, candidate.node_id
