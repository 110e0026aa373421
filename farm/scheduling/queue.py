"""What waits, for the whole farm: by model, then by what may ride together, then by urgency."""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import inf

from farm.core.models import ModelKey, ModelSpec
from farm.core.requests import BatchSignature, InferenceRequest
from farm.core.tensors import TensorSpec

# (priority, delayed, deadline, order of arrival): smaller goes first.
Urgency = tuple[int, bool, float, int]

# Requests of one lane may ride together; a request that must run alone has its own lane.
LaneKey = BatchSignature | int

# A node and its incarnation.
Identity = tuple[str, str]


@dataclass(slots=True)
class Ticket:
    """An accepted request on its way, from arrival to its one reply.

    `attempts` counts dispatches, `failures` those that ended without an answer for no fault
    of its own; `avoid` names the nodes where they did. `batch_id` is None while it is
    queued. `delayed` is set once its time in the queue is up. `outputs` are what its caller
    was promised.
    """

    request: InferenceRequest
    outputs: tuple[TensorSpec, ...]
    lane: LaneKey
    urgency: Urgency
    size_bytes: int
    attempts: int = 0
    failures: int = 0
    avoid: frozenset[Identity] = frozenset()
    batch_id: int | None = None
    alone: bool = False
    delayed: bool = False

    def isolate(self) -> None:
        """Bar the request from company: it runs alone from now on."""
        self.alone = True
        self.lane = self.request.id

    def delay(self) -> None:
        """Put the request behind all others of its priority. It must not be queued now."""
        self.delayed = True
        self.urgency = _urgency(self.request, delayed=True)


def lane_of(request: InferenceRequest, *, batched: bool) -> LaneKey:
    """Return what a request may share a batch with: nothing, where requests run alone."""
    return request.signature() if batched else request.id


def ticket(request: InferenceRequest, spec: ModelSpec) -> Ticket:
    """Return the ticket of a request that arrived just now for a model of this spec."""
    return Ticket(
        request=request,
        outputs=spec.outputs,
        lane=lane_of(request, batched=spec.shares_batches),
        urgency=_urgency(request, delayed=False),
        size_bytes=request.size_bytes,
    )


def _urgency(request: InferenceRequest, *, delayed: bool) -> Urgency:
    deadline = inf if request.deadline is None else request.deadline
    return request.priority, delayed, deadline, request.id


@dataclass(slots=True)
class Lane:
    """Compatible tickets. The heap may hold some that left; `live` says which count."""

    heap: list[tuple[Urgency, int]] = field(default_factory=list)
    live: dict[int, Ticket] = field(default_factory=dict)
    rows: int = 0
    size_bytes: int = 0

    def head(self) -> Ticket:
        """Return the most urgent ticket. The lane is never empty."""
        while True:
            urgency, request_id = self.heap[0]
            entry = self.live.get(request_id)
            # A ticket that was delayed stands in the heap twice.
            if entry is not None and entry.urgency is urgency:
                return entry
            heapq.heappop(self.heap)

    def push(self, entry: Ticket) -> None:
        heapq.heappush(self.heap, (entry.urgency, entry.request.id))
        self.live[entry.request.id] = entry
        self.rows += entry.request.rows
        self.size_bytes += entry.size_bytes

    def remove(self, entry: Ticket) -> None:
        del self.live[entry.request.id]
        self.rows -= entry.request.rows
        self.size_bytes -= entry.size_bytes
        if len(self.heap) > 2 * len(self.live) + 16:
            self.heap = [(e.urgency, e.request.id) for e in self.live.values()]
            heapq.heapify(self.heap)

    def take(self, *, target_rows: int, max_bytes: int) -> list[Ticket]:
        """Take tickets in order of urgency, up to `target_rows` rows.

        The first ticket is taken whatever its size; no later one may take the batch over
        a bound.
        """
        taken: list[Ticket] = []
        rows = size = 0
        while self.live and (not taken or rows < target_rows):
            entry = self.head()
            over = rows + entry.request.rows > target_rows or size + entry.size_bytes > max_bytes
            if taken and over:
                break
            self.remove(entry)
            taken.append(entry)
            rows += entry.request.rows
            size += entry.size_bytes
        return taken


class ModelQueue:
    """What waits for one version of a model."""

    def __init__(self) -> None:
        # The only mutable collections. A lane is here exactly while it has a live ticket,
        # a priority while a ticket of it waits.
        self._lanes: dict[LaneKey, Lane] = {}
        self._by_priority: dict[int, int] = {}
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __repr__(self) -> str:
        return f"<ModelQueue {self._length} requests in {len(self._lanes)} lanes>"

    def of_priority(self, priority: int) -> int:
        """Return how many requests of a priority wait."""
        return self._by_priority.get(priority, 0)

    def push(self, entry: Ticket) -> None:
        """Queue a ticket."""
        lane = self._lanes.get(entry.lane)
        if lane is None:
            lane = self._lanes[entry.lane] = Lane()
        lane.push(entry)
        priority = entry.request.priority
        self._by_priority[priority] = self._by_priority.get(priority, 0) + 1
        self._length += 1

    def remove(self, entry: Ticket) -> None:
        """Take a queued ticket out, wherever it stands."""
        lane = self._lanes[entry.lane]
        lane.remove(entry)
        self._forget(lane, (entry,))

    def take(self, lane: Lane, *, target_rows: int, max_bytes: int) -> list[Ticket]:
        """Take the most urgent tickets of a lane, see `Lane.take`."""
        taken = lane.take(target_rows=target_rows, max_bytes=max_bytes)
        self._forget(lane, taken)
        return taken

    def lanes(self) -> Iterable[Lane]:
        """Return the lanes, in no order."""
        return self._lanes.values()

    def tickets(self) -> list[Ticket]:
        """Return every waiting ticket, in no order."""
        return [entry for lane in self._lanes.values() for entry in lane.live.values()]

    def _forget(self, lane: Lane, entries: Sequence[Ticket]) -> None:
        for entry in entries:
            priority = entry.request.priority
            left = self._by_priority[priority] - 1
            if left:
                self._by_priority[priority] = left
            else:
                del self._by_priority[priority]
            self._length -= 1
        if not lane.live:
            del self._lanes[entries[0].lane]


class Queues:
    """The queues of all models; `size_bytes` counts what waits in any of them."""

    def __init__(self) -> None:
        # A queue is here exactly while something waits in it: idle models cost nothing.
        self.by_model: dict[ModelKey, ModelQueue] = {}
        self.size_bytes = 0

    def __len__(self) -> int:
        return sum(len(queue) for queue in self.by_model.values())

    def waiting(self, key: ModelKey) -> int:
        """Return how many requests wait for a model."""
        queue = self.by_model.get(key)
        return len(queue) if queue is not None else 0

    def waiting_at(self, key: ModelKey, priority: int) -> int:
        """Return how many requests of one priority wait for a model."""
        queue = self.by_model.get(key)
        return queue.of_priority(priority) if queue is not None else 0

    def push(self, entry: Ticket) -> None:
        """Queue a ticket for its model."""
        key = entry.request.model
        queue = self.by_model.get(key)
        if queue is None:
            queue = self.by_model[key] = ModelQueue()
        queue.push(entry)
        self.size_bytes += entry.size_bytes

    def remove(self, entry: Ticket) -> None:
        """Take a queued ticket out, wherever it stands."""
        key = entry.request.model
        queue = self.by_model[key]
        queue.remove(entry)
        self._forget(key, queue, (entry,))

    def take(self, key: ModelKey, lane: Lane, *, target_rows: int, max_bytes: int) -> list[Ticket]:
        """Take the most urgent tickets of one of a model's lanes, see `Lane.take`."""
        queue = self.by_model[key]
        taken = queue.take(lane, target_rows=target_rows, max_bytes=max_bytes)
        self._forget(key, queue, taken)
        return taken

    def drain(self, key: ModelKey) -> list[Ticket]:
        """Take out everything that waits for a model, in no order."""
        queue = self.by_model.pop(key, None)
        if queue is None:
            return []
        tickets = queue.tickets()
        self.size_bytes -= sum(entry.size_bytes for entry in tickets)
        return tickets

    def _forget(self, key: ModelKey, queue: ModelQueue, entries: Iterable[Ticket]) -> None:
        for entry in entries:
            self.size_bytes -= entry.size_bytes
        if not queue:
            del self.by_model[key]
