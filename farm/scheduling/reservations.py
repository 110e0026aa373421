"""Nodes that take no other batches until one that needs more threads has started there.

At a node with a look-ahead such a batch waits for its threads, and nobody overtakes it. At
one without, a model on few threads could keep some of them taken for ever.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from farm.core.models import ModelKey, ModelSpec
from farm.scheduling.nodes import Node
from farm.scheduling.queue import ModelQueue
from farm.scheduling.roster import Roster
from farm.scheduling.tickets import Ticket


@dataclass(frozen=True, slots=True)
class Reservation:
    """A node, and the waiting request that it is reserved for."""

    node: Node
    entry: Ticket


class Reservations:
    """At most one node for each digest. Whatever goes there next, for that digest, ends it."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._by_digest: dict[str, Reservation] = {}

    def get(self, digest: str) -> Reservation | None:
        """Return what is reserved for a digest, or None."""
        return self._by_digest.get(digest)

    def is_for(self, entry: Ticket, digest: str) -> bool:
        """Whether a node is reserved for a request."""
        known = self._by_digest.get(digest)
        return known is not None and known.entry is entry

    def make(self, entry: Ticket, digest: str, nodes: Sequence[Node], now: float) -> bool:
        """Reserve, for a digest that has none, one of the nodes with too few free threads.

        Returns whether there was any.
        """
        if not nodes:
            return False
        node = min(nodes, key=lambda node: _done_s(node, digest, now))
        self._by_digest[digest] = Reservation(node, entry)
        self._roster.reserve(node, digest)
        return True

    def end(self, digest: str) -> None:
        """Give a node back."""
        node = self._by_digest.pop(digest).node
        if node.reserved_for == digest:
            self._roster.reserve(node, None)

    def review(
        self, specs: Mapping[ModelKey, ModelSpec], queues: Mapping[ModelKey, ModelQueue]
    ) -> None:
        """Give back the nodes that nobody waits for any more, or that may not be used."""
        if not self._by_digest:
            return
        for digest, known in list(self._by_digest.items()):
            node, key = known.node, known.entry.request.model
            waits = key in queues and specs[key].digest == digest and known.entry in queues[key]
            usable = self._roster.get(node.node_id) is node and node.accepts
            if not (waits and usable and digest in node.ready and node.reserved_for == digest):
                self.end(digest)


def _done_s(node: Node, digest: str, now: float) -> float:
    """Return about when a node could be done with a batch of one row."""
    pace = node.ready[digest]
    return node.backlog_s(now, pace.threads) + pace.completion_s(1)
