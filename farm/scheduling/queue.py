"""A model's queue for the whole farm, ordered by priority, then deadline, then arrival."""

import heapq
from dataclasses import dataclass, field
from math import inf

from farm.core.requests import BatchSignature, InferenceRequest

# (priority, deadline, order of arrival): smaller goes first.
Urgency = tuple[int, float, int]

# Requests of one lane may ride together; a request that must run alone has its own lane.
LaneKey = BatchSignature | int


@dataclass(slots=True)
class Ticket:
    """An accepted request on its way, from arrival to its one reply.

    `attempts` counts dispatches, `failures` those that ended without an answer for no fault
    of its own; `avoid` names the (node, incarnation) pairs where they did. `batch_id` is
    None while it is queued.
    """

    request: InferenceRequest
    lane: LaneKey
    urgency: Urgency
    attempts: int = 0
    failures: int = 0
    avoid: frozenset[tuple[str, str]] = frozenset()
    batch_id: int | None = None
    alone: bool = False

    def isolate(self) -> None:
        """Bar the request from company: it runs alone from now on."""
        self.alone = True
        self.lane = self.request.id


def lane_of(request: InferenceRequest, *, batched: bool) -> LaneKey:
    """Return what a request may share a batch with; without a batch axis, nothing."""
    return request.signature() if batched else request.id


def ticket(request: InferenceRequest, *, batched: bool) -> Ticket:
    """Return the ticket of a request that arrived just now."""
    deadline = inf if request.deadline is None else request.deadline
    return Ticket(
        request=request,
        lane=lane_of(request, batched=batched),
        urgency=(request.priority, deadline, request.id),
    )


@dataclass(slots=True)
class Lane:
    """Compatible requests. The heap may hold tickets that left; `live` says which count."""

    heap: list[tuple[Urgency, int]] = field(default_factory=list)
    live: dict[int, Ticket] = field(default_factory=dict)
    rows: int = 0

    def head(self) -> Ticket:
        """Return the most urgent ticket. The lane is never empty."""
        while self.heap[0][1] not in self.live:
            heapq.heappop(self.heap)
        return self.live[self.heap[0][1]]


class ModelQueue:
    """Lanes of compatible tickets. `rows` and `size_bytes` count what waits."""

    def __init__(self) -> None:
        # The only mutable collection. A lane is here exactly while it has a live ticket.
        self._lanes: dict[LaneKey, Lane] = {}
        self.size_bytes = 0
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __repr__(self) -> str:
        return f"<ModelQueue {self._length} requests in {len(self._lanes)} lanes>"

    def push(self, entry: Ticket) -> None:
        """Queue a ticket."""
        lane = self._lanes.setdefault(entry.lane, Lane())
        heapq.heappush(lane.heap, (entry.urgency, entry.request.id))
        lane.live[entry.request.id] = entry
        lane.rows += entry.request.rows
        self.size_bytes += entry.request.size_bytes
        self._length += 1

    def remove(self, entry: Ticket) -> None:
        """Take a queued ticket out, wherever it stands."""
        lane = self._lanes[entry.lane]
        del lane.live[entry.request.id]
        lane.rows -= entry.request.rows
        self.size_bytes -= entry.request.size_bytes
        self._length -= 1
        if not lane.live:
            del self._lanes[entry.lane]
        elif len(lane.heap) > 2 * len(lane.live) + 16:
            lane.heap = [(e.urgency, e.request.id) for e in lane.live.values()]
            heapq.heapify(lane.heap)

    def lanes(self) -> list[Lane]:
        """Return the lanes, the one with the most urgent head first."""
        if len(self._lanes) == 1:
            return list(self._lanes.values())
        return sorted(self._lanes.values(), key=lambda lane: lane.head().urgency)

    def tickets(self) -> list[Ticket]:
        """Return every waiting ticket, in no order."""
        return [entry for lane in self._lanes.values() for entry in lane.live.values()]

    def take(self, lane: Lane, *, target_rows: int, max_bytes: int) -> list[Ticket]:
        """Take tickets from a lane in order of urgency, up to `target_rows` rows.

        The first ticket is taken whatever its size; no later one may take the batch over
        a bound.
        """
        taken: list[Ticket] = []
        rows = size = 0
        while lane.live and (not taken or rows < target_rows):
            entry = lane.head()
            request = entry.request
            over = rows + request.rows > target_rows or size + request.size_bytes > max_bytes
            if taken and over:
                break
            self.remove(entry)
            taken.append(entry)
            rows += request.rows
            size += request.size_bytes
        return taken
