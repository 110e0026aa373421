"""The nodes, indexed so that placing a batch costs the same among 4 of them and 256."""

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate, islice
from math import inf

from farm.scheduling.limits import SchedulingLimits
from farm.scheduling.nodes import Node, NodeClass
from farm.scheduling.pace import Pace
from farm.scheduling.placement import INDIFFERENCE

# Nodes of one class are alike, so a few of those that rested longest stand for all of them.
SHORTLIST = 2

# How long a forecast for a few nodes may be used while single ones change their pace, in
# seconds; one for more of them costs more and changes less.
_STALE_S = 0.25
_FEW_NODES = 16


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the farm can do for a model: its nodes from the quickest on.

    `quickest_s[i]` is what one row takes on the i-th node, overhead included, `rates[i]` the
    rows per second of the nodes up to it together, each at its best batch size. Only nodes
    of which something is known are counted; `complete` says that all have been measured.
    """

    quickest_s: tuple[float, ...]
    rates: tuple[float, ...]
    complete: bool

    @property
    def best_s(self) -> float:
        """Seconds that one row takes on the quickest node, if it is idle."""
        return self.quickest_s[0]

    @property
    def rows_per_s(self) -> float:
        """Rows per second of all nodes together."""
        return self.rates[-1]

    def rate_below(self, seconds: float) -> float:
        """Return the rows per second of the nodes that take less than this for one row."""
        count = bisect_left(self.quickest_s, seconds)
        return self.rates[count - 1] if count else 0.0

    def rows_within(self, seconds: float) -> float:
        """Return how many rows are done so early that one more can be done in time.

        That one gets whichever node is free next: the time of the slowest is set aside for
        it. Where that is long, only the quicker nodes count: those that take at most half of
        the seconds, or are about as quick as the quickest.
        """
        quick_s = max(seconds / 2, self.best_s * INDIFFERENCE)
        count = bisect_right(self.quickest_s, quick_s)
        return max(
            (seconds - self.quickest_s[-1]) * self.rates[-1],
            (seconds - self.quickest_s[count - 1]) * self.rates[count - 1],
            0.0,
        )


class Roster:
    """Every node, those that could start a batch now, and those that will take one soon.

    Whoever changes a node says so with `touch`: the indexes follow only that.
    """

    def __init__(self, limits: SchedulingLimits) -> None:
        self._limits = limits
        self._nodes: dict[str, Node] = {}
        # Nodes with a free thread, those that rested longest first, and full ones whose
        # look-ahead is open, those that opened first first.
        self._free = _Shelf()
        self._ahead = _Shelf()
        # The other full nodes by class, those first that take a batch first. An entry counts
        # while its stamp is the node's.
        self._full: dict[NodeClass, list[tuple[float, int, Node]]] = {}
        self._stamps: dict[str, int] = {}
        self._stamp = 0
        self._opened = (-inf, 0)
        # Another one after every change of any node.
        self.version = 0
        self._outlooks: dict[str, tuple[float, Outlook | None]] = {}

    def __len__(self) -> int:
        return len(self._nodes)

    def __iter__(self) -> Iterator[Node]:
        return iter(self._nodes.values())

    def get(self, node_id: str) -> Node | None:
        """Return a node, or None."""
        return self._nodes.get(node_id)

    def add(self, node: Node, now: float) -> None:
        """Take a node in."""
        self._nodes[node.node_id] = node
        self.reconsider(node, now)

    def remove(self, node_id: str) -> Node | None:
        """Forget a node and return it, if there was one."""
        node = self._nodes.pop(node_id, None)
        if node is not None:
            self._leave_indexes(node_id)
            self._stamps.pop(node_id, None)
            self._outlooks.clear()
        return node

    def reconsider(self, node: Node, now: float) -> None:
        """Follow a change of what a node may be used for, or of how fast it is."""
        self._outlooks.clear()
        self.touch(node, now)

    def touch(self, node: Node, now: float) -> None:
        """Follow a change of what is in flight at a node."""
        node_id = node.node_id
        self._leave_indexes(node_id)
        if not node.accepts:
            return
        if not node.is_full:
            self._free.put(node)
            return
        opens_at = node.opens_at(self._horizon_s(node))
        if opens_at <= now:
            if node.has_lookahead:
                self._ahead.put(node)
            return
        self._stamp += 1
        self._stamps[node_id] = self._stamp
        heapq.heappush(self._full.setdefault(node.kind, []), (opens_at, self._stamp, node))

    def free(self, digest: str, *, everyone: bool = False) -> list[Node]:
        """Return nodes that could start a batch of a digest now.

        At most `SHORTLIST` of each class, those that rested longest, unless `everyone`
        is asked for.
        """
        return [node for nodes in self._free_by_class(digest, everyone).values() for node in nodes]

    def open(self, digest: str, now: float, *, everyone: bool = False) -> list[Node]:
        """Return the nodes of `free`, and full ones that take a batch now, to run it next.

        Of a class that has a free node no full one is returned, for it is no quicker; else,
        as with `free`, a few of each class: those that are done first. A node with too few
        free threads for this digest counts as full: else a model that takes many of them
        would wait for as long as others keep taking some.
        """
        self._open(now)
        found = self._free_by_class(digest, everyone)
        limit = len(self._nodes) if everyone else SHORTLIST
        for shelf in (self._ahead, self._free):
            for kind, nodes in shelf.by_class.items():
                if kind not in found:
                    taking = (n for n in nodes.values() if digest in n.ready and n.has_lookahead)
                    found[kind] = list(islice(taking, limit))
        return [node for nodes in found.values() for node in nodes]

    def cramped(self, digest: str, *, everyone: bool = False) -> list[Node]:
        """Return nodes without a look-ahead that have free threads, but too few for a digest.

        At most `SHORTLIST` of each class, as with `free`; none that is reserved.
        """
        limit = len(self._nodes) if everyone else SHORTLIST
        return [
            node
            for nodes in self._free.by_class.values()
            for node in islice(_cramped(nodes, digest), limit)
        ]

    def reserve(self, node: Node, digest: str | None) -> None:
        """Let a node take only batches of a digest, or of any again."""
        node.reserved_for = digest
        self.version += 1

    def soon(self, now: float) -> list[tuple[float, Node]]:
        """Return of each class the full node that takes a batch next, and when that will be."""
        self._open(now)
        return [(heap[0][0], heap[0][2]) for heap in self._full.values()]

    def outlook(self, digest: str, now: float) -> Outlook | None:
        """Return what the farm can do for a digest; None where nothing is known."""
        known = self._outlooks.get(digest)
        if known is not None and now < known[0]:
            return known[1]
        outlook = _outlook([n for n in self._nodes.values() if n.standing.usable], digest)
        stale_s = _STALE_S * max(1.0, len(self._nodes) / _FEW_NODES)
        self._outlooks[digest] = (now + stale_s, outlook)
        return outlook

    def _free_by_class(self, digest: str, everyone: bool) -> dict[NodeClass, list[Node]]:
        limit = len(self._nodes) if everyone else SHORTLIST
        found: dict[NodeClass, list[Node]] = {}
        for kind, nodes in self._free.by_class.items():
            able = [*islice(_able(nodes, digest), limit)]
            if able:
                found[kind] = able
        return found

    def _open(self, now: float) -> None:
        """Move nodes whose look-ahead is open now, and let go what counts no more."""
        if (now, self.version) == self._opened:
            return
        for kind, heap in list(self._full.items()):
            while heap and (heap[0][0] <= now or not self._counts(heap[0])):
                entry = heapq.heappop(heap)
                if self._counts(entry):
                    if entry[2].has_lookahead:
                        self._ahead.put(entry[2])
                        self.version += 1
                    del self._stamps[entry[2].node_id]
            if not heap:
                del self._full[kind]
        self._opened = (now, self.version)

    def _counts(self, entry: tuple[float, int, Node]) -> bool:
        return self._stamps.get(entry[2].node_id) == entry[1]

    def _leave_indexes(self, node_id: str) -> None:
        self.version += 1
        self._free.drop(node_id)
        self._ahead.drop(node_id)
        self._stamps.pop(node_id, None)

    def _horizon_s(self, node: Node) -> float:
        overhead_s = node.overhead_s or self._limits.dispatch_overhead_s
        return max(self._limits.lookahead_trips * overhead_s, self._limits.lookahead_floor_s)


class _Shelf:
    """Nodes by class, in the order in which they were put there."""

    def __init__(self) -> None:
        self.by_class: dict[NodeClass, dict[str, Node]] = {}
        self._class_of: dict[str, NodeClass] = {}

    def put(self, node: Node) -> None:
        """Put a node that is not here behind the others of its class."""
        self._class_of[node.node_id] = node.kind
        self.by_class.setdefault(node.kind, {})[node.node_id] = node

    def drop(self, node_id: str) -> None:
        """Take a node away, if it is here."""
        kind = self._class_of.pop(node_id, None)
        if kind is not None:
            nodes = self.by_class[kind]
            del nodes[node_id]
            if not nodes:
                del self.by_class[kind]


def _able(nodes: Mapping[str, Node], digest: str) -> Iterator[Node]:
    for node in nodes.values():
        pace = node.ready.get(digest)
        if pace is not None and node.has_room(pace.threads) and node.reserved_for in (None, digest):
            yield node


def _cramped(nodes: Mapping[str, Node], digest: str) -> Iterator[Node]:
    for node in nodes.values():
        pace = node.ready.get(digest)
        lacks = pace is not None and not node.has_room(pace.threads)
        if lacks and not node.has_lookahead and node.reserved_for is None:
            yield node


def _outlook(nodes: list[Node], digest: str) -> Outlook | None:
    able = [(node, pace) for node in nodes if (pace := node.ready.get(digest)) is not None]
    known = sorted(
        (
            (
                pace.overhead_s + pace.seconds(1),
                _rate(pace) * (node.profile.capacity // pace.threads),
            )
            for node, pace in able
            if pace.known
        )
    )
    if not known:
        return None
    return Outlook(
        quickest_s=tuple(seconds for seconds, _ in known),
        rates=tuple(accumulate(rate for _, rate in known)),
        complete=all(pace.curve is not None for _, pace in able),
    )


def _rate(pace: Pace) -> float:
    """Return the most rows per second of one slot, over the sizes that were measured."""
    if pace.curve is None:
        return 1 / max(pace.seconds(1), 1e-6)
    return max(rows / max(seconds, 1e-6) for rows, seconds in pace.curve.points)
