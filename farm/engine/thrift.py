"""What a row of each model takes of each node, for placement by energy."""

from collections.abc import Mapping
from typing import Final

from farm.core.models import LatencyCurve
from farm.energy.attribution import BatchAccount

# How much a batch counts beside all before it.
_WEIGHT: Final = 0.1


class Thrift:
    """Joules a row beyond what a node draws idle: as batches were charged, or foretold."""

    def __init__(self) -> None:
        # By node, then by digest.
        self._found: dict[str, dict[str, float]] = {}

    def settled(self, batch: BatchAccount) -> None:
        """Learn from a batch that ran to its end."""
        entry = batch.entry
        if entry.outcome != "completed" or not entry.rows:
            return
        found = self._found.setdefault(entry.node_id, {})
        joules = batch.usage().marginal_j / entry.rows
        before = found.get(entry.digest, joules)
        found[entry.digest] = before + _WEIGHT * (joules - before)

    def joules_per_row(
        self,
        node_id: str,
        ready: Mapping[str, LatencyCurve | None],
        *,
        threads: int,
        core_second_j: float,
    ) -> dict[str, float]:
        """Return what a row of each digest takes on a node that is `ready` for them.

        Of one that it has not run yet it is foretold from the curve, at its best batch size, and
        the joules of a busy core: a node of which nothing were known would never be tried. A
        batch without threads of its own runs on `threads`.
        """
        # What a node is not ready for any more is forgotten.
        before = self._found.pop(node_id, {})
        found = {digest: before[digest] for digest in ready if digest in before}
        if found:
            self._found[node_id] = found
        known = dict(found)
        for digest, curve in ready.items():
            if digest not in known and curve is not None:
                row_s = min(seconds / rows for rows, seconds in curve.points)
                known[digest] = core_second_j * (curve.threads or threads) * row_s
        return known
