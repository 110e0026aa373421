"""Requests that may ride together, in the order in which they go."""

import heapq
from collections.abc import Sequence
from itertools import islice

from farm.scheduling.tickets import Ticket, Urgency
from farm.scheduling.turns import Turn, Turns

# (priority, delayed, turn of the client, deadline, order of arrival): smaller goes first.
Rank = tuple[int, bool, float, float, int]

# A client's requests of one priority.
_FlowKey = tuple[int, str]

# How many tickets, or clients, are looked at to estimate how many go first.
_SAMPLE = 64


class _Flow:
    """What one client has waiting at one priority, the most urgent first.

    The heap may hold tickets that left. `rank` is the flow's entry in the order of flows.
    """

    __slots__ = ("count", "heap", "rank", "rows", "turn")

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self.heap: list[tuple[Urgency, int]] = []
        self.rank: Rank | None = None
        self.count = 0
        self.rows = 0


class Lane:
    """Compatible tickets: by priority, then by turns of their clients, then by urgency.

    One client's alone go by priority, deadline and arrival. Every step costs O(log n). Where
    requests of the lane are `joined` to no others, its next one is all that could go now:
    `rows` and `size_bytes` are of that one.
    """

    def __init__(self, turns: Turns, *, joined: bool = True) -> None:
        self.live: dict[int, Ticket] = {}
        self._turns = turns
        self._joined = joined
        self._flows: dict[_FlowKey, _Flow] = {}
        # Empty while there is one flow. Turns only come later, so an entry is at worst too
        # early, and is put right when it comes to the top; it counts while it is its flow's.
        self._order: list[tuple[Rank, _FlowKey]] = []
        self._rows = 0
        self._size_bytes = 0

    @property
    def rows(self) -> int:
        """Rows that could go now."""
        return self._rows if self._joined else self.head().request.rows

    @property
    def size_bytes(self) -> int:
        """Bytes of what could go now."""
        return self._size_bytes if self._joined else self.head().size_bytes

    @property
    def crowded(self) -> bool:
        """Whether others wait behind the one that goes first."""
        return len(self.live) > 1

    def head(self) -> Ticket:
        """Return the ticket that goes first. The lane is never empty."""
        if len(self._flows) == 1:
            (flow,) = self._flows.values()
            return self._first(flow)
        while True:
            rank, key = self._order[0]
            ranked = self._flows.get(key)
            if ranked is None or ranked.rank is not rank:
                heapq.heappop(self._order)
                continue
            entry = self._first(ranked)
            present = _rank(entry, ranked.turn)
            if present == rank:
                return entry
            ranked.rank = present
            heapq.heapreplace(self._order, (present, key))

    def rank(self) -> Rank:
        """Return where the lane stands among others, by the ticket that goes first."""
        entry = self.head()
        return _rank(entry, entry.turn)

    def push(self, entry: Ticket) -> None:
        """Take a ticket in, whose client's turn it knows."""
        request, turn = entry.request, entry.turn
        key = (request.priority, turn.client)
        flow = self._flows.get(key)
        if flow is None:
            flow = self._flows[key] = _Flow(turn)
        heapq.heappush(flow.heap, (entry.urgency, request.id))
        self.live[request.id] = entry
        flow.count += 1
        flow.rows += request.rows
        self._rows += request.rows
        self._size_bytes += entry.size_bytes
        if len(self._flows) > 1 and flow.heap[0][1] == request.id:
            self._put_in_order(key, flow)

    def remove(self, entry: Ticket) -> None:
        """Take a ticket out, wherever it stands."""
        request = entry.request
        key = (request.priority, entry.turn.client)
        flow = self._flows[key]
        del self.live[request.id]
        flow.count -= 1
        flow.rows -= request.rows
        self._rows -= request.rows
        self._size_bytes -= entry.size_bytes
        if not flow.count:
            del self._flows[key]
            if len(self._flows) < 2:
                self._order.clear()
        elif len(flow.heap) > 2 * flow.count + 16:
            flow.heap = [item for item in flow.heap if self._counts(item)]
            heapq.heapify(flow.heap)

    def take(self, *, target_rows: int, max_bytes: int) -> list[Ticket]:
        """Take tickets in order, up to `target_rows` rows, and charge their clients.

        The first ticket is taken whatever its size; no later one may take the batch over
        a bound.
        """
        taken: list[Ticket] = []
        rows = size = 0
        while self.live and (not taken or (self._joined and rows < target_rows)):
            entry = self.head()
            over = rows + entry.request.rows > target_rows or size + entry.size_bytes > max_bytes
            if taken and over:
                break
            self._turns.serve(entry.turn, entry.cost_s)
            self.remove(entry)
            taken.append(entry)
            rows += entry.request.rows
            size += entry.size_bytes
        return taken

    def rows_ahead(self, urgency: Urgency, client: str, rows: int) -> float:
        """Return about how many rows go before a request of `rows` rows that came in now.

        All of a higher priority; at its own, those of its client that are more urgent, and
        of each other client no more than of its own. An estimate from `_SAMPLE` tickets and
        clients: O(1).
        """
        own = self._flows.get((urgency[0], client))
        before = _rows_before(own, urgency) if own is not None else 0.0
        fair = before + rows
        others = 0.0
        looked_at = 0
        for (priority, _), flow in islice(self._flows.items(), _SAMPLE):
            looked_at += 1
            if flow is own or priority > urgency[0]:
                continue
            others += flow.rows if priority < urgency[0] else min(flow.rows, fair)
        scale = len(self._flows) / looked_at if looked_at else 0.0
        return before + others * scale

    def _first(self, flow: _Flow) -> Ticket:
        heap = flow.heap
        while True:
            urgency, request_id = heap[0]
            entry = self.live.get(request_id)
            # A ticket that was delayed stands in the heap twice.
            if entry is not None and entry.urgency is urgency:
                return entry
            heapq.heappop(heap)

    def _counts(self, item: tuple[Urgency, int]) -> bool:
        entry = self.live.get(item[1])
        return entry is not None and entry.urgency is item[0]

    def _put_in_order(self, key: _FlowKey, flow: _Flow) -> None:
        if not self._order or len(self._order) > 2 * len(self._flows) + 16:
            for other in self._flows.values():
                other.rank = _rank(self._first(other), other.turn)
            self._order = [
                (other.rank, name) for name, other in self._flows.items() if other.rank is not None
            ]
            heapq.heapify(self._order)
            return
        flow.rank = _rank(self._first(flow), flow.turn)
        heapq.heappush(self._order, (flow.rank, key))


def _rank(entry: Ticket, turn: Turn) -> Rank:
    priority, delayed, deadline, request_id = entry.urgency
    return priority, delayed, turn.at, deadline, request_id


def _rows_before(flow: _Flow, urgency: Urgency) -> float:
    """Return about how many rows of a flow are more urgent, from tickets evenly spaced."""
    sample: Sequence[tuple[Urgency, int]] = flow.heap[:: -(-len(flow.heap) // _SAMPLE)]
    return flow.rows * sum(item[0] < urgency for item in sample) / len(sample)
