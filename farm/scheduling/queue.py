"""What waits, for the whole farm: by model, then by what may ride together."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from farm.core.models import ModelKey
from farm.core.requests import InferenceRequest
from farm.scheduling.lanes import Lane
from farm.scheduling.tickets import ONE_BY_ONE, LaneKey, Ticket, lane_of, urgency_of
from farm.scheduling.turns import Turns

_Key = TypeVar("_Key", int, str)


class ModelQueue:
    """What waits for one version of a model, `rows` of it in all."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        # The only mutable collections. A lane is here exactly while it has a live ticket,
        # a priority or a client while a ticket of it waits.
        self._lanes: dict[LaneKey, Lane] = {}
        self._by_priority: dict[int, int] = {}
        self._by_client: dict[str, int] = {}
        self._length = 0
        self.rows = 0

    def __len__(self) -> int:
        return self._length

    def __repr__(self) -> str:
        return f"<ModelQueue {self._length} requests in {len(self._lanes)} lanes>"

    def __contains__(self, entry: Ticket) -> bool:
        lane = self._lanes.get(entry.lane)
        return lane is not None and lane.live.get(entry.request.id) is entry

    def of_priority(self, priority: int) -> int:
        """Return how many requests of a priority wait."""
        return self._by_priority.get(priority, 0)

    def of_client(self, client: str) -> int:
        """Return how many requests of a client wait."""
        return self._by_client.get(client, 0)

    def rows_ahead(self, request: InferenceRequest, lane: LaneKey, client: str) -> float:
        """Return about how many rows go before a request that came in now, see `Lane`."""
        there = self._lanes.get(lane)
        if there is None:
            return 0.0
        return there.rows_ahead(urgency_of(request, delayed=False), client, request.rows)

    def push(self, entry: Ticket) -> None:
        """Queue a ticket, whose client's turn it knows."""
        lane = self._lanes.get(entry.lane)
        if lane is None:
            lane = Lane(self._turns, joined=entry.lane != ONE_BY_ONE)
            self._lanes[entry.lane] = lane
        lane.push(entry)
        _count(self._by_priority, entry.request.priority, 1)
        _count(self._by_client, entry.turn.client, 1)
        self._length += 1
        self.rows += entry.request.rows

    def remove(self, entry: Ticket) -> None:
        """Take a queued ticket out, wherever it stands."""
        lane = self._lanes[entry.lane]
        lane.remove(entry)
        self._forget(lane, (entry,))

    def take(self, lane: Lane, *, target_rows: int, max_bytes: int) -> list[Ticket]:
        """Take the tickets of a lane that go first, see `Lane.take`."""
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
            _count(self._by_priority, entry.request.priority, -1)
            _count(self._by_client, entry.turn.client, -1)
            self._length -= 1
            self.rows -= entry.request.rows
        if not lane.live:
            del self._lanes[entries[0].lane]


class Queues:
    """The queues of all models; `size_bytes` counts what waits in any of them.

    Clients take turns where it is `fair`; otherwise all requests are as one client's.
    """

    def __init__(self, *, fair: bool = True) -> None:
        self._fair = fair
        self._turns = Turns()
        # A queue is here exactly while something waits in it: idle models cost nothing.
        self.by_model: dict[ModelKey, ModelQueue] = {}
        self.size_bytes = 0

    def __len__(self) -> int:
        return sum(len(queue) for queue in self.by_model.values())

    def waiting(self, key: ModelKey) -> int:
        """Return how many requests wait for a model."""
        queue = self.by_model.get(key)
        return len(queue) if queue is not None else 0

    def waiting_rows(self, key: ModelKey) -> int:
        """Return how many rows wait for a model."""
        queue = self.by_model.get(key)
        return queue.rows if queue is not None else 0

    def waiting_at(self, key: ModelKey, priority: int) -> int:
        """Return how many requests of one priority wait for a model."""
        queue = self.by_model.get(key)
        return queue.of_priority(priority) if queue is not None else 0

    def waiting_of(self, key: ModelKey, client: str) -> int:
        """Return how many requests of a client wait for a model; 0 where all are one."""
        queue = self.by_model.get(key)
        return queue.of_client(client) if queue is not None and self._fair else 0

    def bytes_of(self, client: str) -> int:
        """Return the bytes that a client has waiting for any model; 0 where all are one."""
        return self._turns.size_bytes(client) if self._fair else 0

    def rows_ahead(self, request: InferenceRequest, *, batched: bool) -> float:
        """Return about how many rows of its model go before a request that came in now.

        Of its model alone, and of those that it could share a batch with: others may go to
        other nodes.
        """
        queue = self.by_model.get(request.model)
        if queue is None:
            return 0.0
        return queue.rows_ahead(request, lane_of(request, batched=batched), self._client(request))

    def push(self, entry: Ticket) -> None:
        """Queue a ticket for its model."""
        key = entry.request.model
        queue = self.by_model.get(key)
        if queue is None:
            queue = self.by_model[key] = ModelQueue(self._turns)
        entry.turn = self._turns.enter(
            self._client(entry.request), cost_s=entry.cost_s, size_bytes=entry.size_bytes
        )
        queue.push(entry)
        self.size_bytes += entry.size_bytes

    def remove(self, entry: Ticket) -> None:
        """Take a queued ticket out, wherever it stands."""
        key = entry.request.model
        queue = self.by_model[key]
        queue.remove(entry)
        self._forget(key, queue, (entry,))

    def take(self, key: ModelKey, lane: Lane, *, target_rows: int, max_bytes: int) -> list[Ticket]:
        """Take the tickets of one of a model's lanes that go first, see `Lane.take`."""
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
        self._leave(tickets)
        return tickets

    def _client(self, request: InferenceRequest) -> str:
        return request.client if self._fair else ""

    def _forget(self, key: ModelKey, queue: ModelQueue, entries: Iterable[Ticket]) -> None:
        self._leave(entries)
        if not queue:
            del self.by_model[key]

    def _leave(self, entries: Iterable[Ticket]) -> None:
        for entry in entries:
            self.size_bytes -= entry.size_bytes
            self._turns.leave(entry.turn, size_bytes=entry.size_bytes)


def _count(counts: dict[_Key, int], key: _Key, change: int) -> None:
    """Add to a count; one that falls to nothing is forgotten."""
    count = counts.get(key, 0) + change
    if count:
        counts[key] = count
    else:
        del counts[key]
