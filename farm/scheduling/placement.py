"""Which of the nodes that could take a batch gets it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

# Predictions closer than this are equal: the node that rested longest takes the batch.
INDIFFERENCE = 1.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A node that could take a batch now.

    `rows` is the size that suits it, `completion_s` the predicted seconds until that batch
    is done there, work ahead of it included. `last_used` is the sequence number of its
    last batch.
    """

    node_id: str
    rows: int
    completion_s: float
    last_used: int


class PlacementPolicy(Protocol):
    """Chooses one of at least one candidate, and says why."""

    name: str

    def choose(self, candidates: Sequence[Candidate]) -> tuple[Candidate, str]: ...


class LeastExpectedCompletion:
    """The node that is predicted to be done first; among equals the one that rested longest."""

    name = "least_expected_completion"

    def choose(self, candidates: Sequence[Candidate]) -> tuple[Candidate, str]:
        if len(candidates) == 1:
            return candidates[0], "the only node with a free slot"
        bound = min(candidate.completion_s for candidate in candidates) * INDIFFERENCE
        near = [candidate for candidate in candidates if candidate.completion_s <= bound]
        chosen = min(near, key=lambda candidate: (candidate.last_used, candidate.node_id))
        return chosen, f"done first of {len(candidates)}"
