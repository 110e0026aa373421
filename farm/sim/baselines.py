"""How other systems place requests: yardsticks for the table, never used by the farm itself.

All of them bind a request to a node when it arrives and know nothing of how fast a node is.
A request whose node was lost moves to another node once.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from random import Random

from farm.core.errors import ModelUnavailableError, NodeLostError, QueueFullError, error_class
from farm.core.models import ModelKey, ModelSpec
from farm.core.nodes import NodeProfile
from farm.core.requests import (
    Batch,
    BatchCompleted,
    BatchFailed,
    InferenceRequest,
    Placement,
    Receipt,
)
from farm.scheduling.effects import (
    DispatchBatch,
    Effect,
    RejectRequest,
    ResolveRequest,
    WakeAt,
)
from farm.scheduling.events import (
    BatchFinished,
    Event,
    ModelChanged,
    NodeJoined,
    NodeLost,
    RequestArrived,
)

# Requests that wait at one node, as the farm's own queue holds for one model.
MAX_QUEUE_SIZE = 2_000
_MAX_ATTEMPTS = 2
_PUSHBACK_S = 0.25


@dataclass(slots=True, eq=False)
class _Waiting:
    request: InferenceRequest
    attempts: int = 0


@dataclass(slots=True)
class _Replica:
    """A node with a queue of its own."""

    profile: NodeProfile
    queue: deque[_Waiting] = field(default_factory=deque)
    flights: dict[int, tuple[Batch, list[_Waiting]]] = field(default_factory=dict)

    @property
    def length(self) -> int:
        """Requests here, waiting or running."""
        return len(self.queue) + sum(len(batch.members) for batch, _ in self.flights.values())


Pick = Callable[[Sequence[_Replica], Random, int], _Replica]


def _in_turn(replicas: Sequence[_Replica], _: Random, count: int) -> _Replica:
    return replicas[count % len(replicas)]


def _shorter_of_two(replicas: Sequence[_Replica], random: Random, _: int) -> _Replica:
    if len(replicas) == 1:
        return replicas[0]
    one, other = random.sample(replicas, 2)
    return one if one.length <= other.length else other


class ReplicaQueues:
    """A router that picks a node for each request; each node then forms its own batches.

    A node starts a batch when one of its slots is free and `max_rows` wait for one model,
    or its first request has waited `wait_s`.
    """

    def __init__(self, name: str, pick: Pick, *, max_rows: int, wait_s: float, seed: int) -> None:
        self._name = name
        self._pick = pick
        self._max_rows = max_rows
        self._wait_s = wait_s
        self._random = Random(seed)  # noqa: S311 - a lot, not a secret
        self._specs: dict[ModelKey, ModelSpec] = {}
        self._replicas: dict[str, _Replica] = {}
        self._where: dict[int, str] = {}
        self._routed = 0
        self._batches = 0
        self._woken_at = inf
        self._effects: list[Effect] = []

    def handle_all(self, events: Iterable[Event], now: float) -> list[Effect]:
        """Take what happened; return what to do."""
        self._effects = []
        if now >= self._woken_at:
            self._woken_at = inf
        for event in events:
            match event:
                case RequestArrived(request):
                    self._route(_Waiting(request), now)
                case BatchFinished(completed):
                    self._finish(completed)
                case BatchFailed():
                    self._fail(event, now)
                case NodeJoined(profile=profile):
                    self._lose(profile.node_id, now)
                    self._replicas[profile.node_id] = _Replica(profile)
                case NodeLost(node_id=node_id):
                    self._lose(node_id, now)
                case ModelChanged(key, spec) if spec is not None:
                    self._specs[key] = spec
                case _:
                    # Heartbeats, joules and timers say nothing to this scheduler.
                    continue
        opens_at = min((self._start(r, now) for r in self._replicas.values()), default=inf)
        if opens_at < self._woken_at:
            self._woken_at = opens_at
            self._effects.append(WakeAt(opens_at))
        return self._effects

    def _route(self, entry: _Waiting, now: float) -> None:
        request = entry.request
        if not self._replicas:
            error = ModelUnavailableError("no node is up", retry_after_s=_PUSHBACK_S)
            self._effects.append(RejectRequest(request.id, error))
            return
        replica = self._pick(list(self._replicas.values()), self._random, self._routed)
        self._routed += 1
        if len(replica.queue) >= MAX_QUEUE_SIZE:
            full = QueueFullError("the node's queue is full", retry_after_s=_PUSHBACK_S)
            self._effects.append(RejectRequest(request.id, full))
            return
        replica.queue.append(entry)

    def _start(self, replica: _Replica, now: float) -> float:
        """Start what may start; return when time alone lets the next batch start."""
        while replica.queue and len(replica.flights) < replica.profile.slots:
            first = replica.queue[0].request
            spec = self._specs[first.model]
            limit = min(self._max_rows, spec.max_batch_size) if spec.shares_batches else 1
            mates: list[_Waiting] = []
            rows = 0
            for entry in replica.queue:
                if entry.request.model != first.model:
                    continue
                if mates and rows + max(entry.request.rows, 1) > limit:
                    break
                mates.append(entry)
                rows += entry.request.rows
            leaves_at = first.arrived_at + self._wait_s
            if rows < limit and now < leaves_at:
                return leaves_at
            self._send(replica, spec, mates, rows, now)
        return inf

    def _send(
        self, replica: _Replica, spec: ModelSpec, mates: list[_Waiting], rows: int, now: float
    ) -> None:
        self._batches += 1
        for entry in mates:
            replica.queue.remove(entry)
            entry.attempts += 1
        batch = Batch(
            id=self._batches,
            model=spec.key,
            digest=spec.digest,
            members=tuple(entry.request for entry in mates),
            rows=rows,
            batched=spec.shares_batches,
            formed_at=now,
            trigger="free_slot",
        )
        replica.flights[batch.id] = (batch, mates)
        node_id = replica.profile.node_id
        self._where[batch.id] = node_id
        placement = Placement(batch_id=batch.id, node_id=node_id, policy=self._name, reason="")
        self._effects.append(DispatchBatch(batch, placement))

    def _land(self, batch_id: int) -> tuple[Batch, list[_Waiting]] | None:
        replica = self._replicas.get(self._where.pop(batch_id, ""))
        return replica.flights.pop(batch_id, None) if replica is not None else None

    def _finish(self, completed: BatchCompleted) -> None:
        landed = self._land(completed.batch_id)
        if landed is None:
            return
        batch, entries = landed
        compute_s = completed.timing.compute_ns / 1e9
        for entry, outputs in zip(entries, completed.outputs, strict=True):
            receipt = Receipt(
                node_id=completed.node_id,
                route=self._name,
                digest=batch.digest,
                batch_rows=batch.rows,
                queue_s=batch.formed_at - entry.request.arrived_at,
                compute_s=compute_s,
                threads=1,
                share=entry.request.rows / batch.rows,
                attempts=entry.attempts,
                policy=self._name,
            )
            self._effects.append(ResolveRequest(entry.request.id, outputs, receipt))

    def _fail(self, failed: BatchFailed, now: float) -> None:
        landed = self._land(failed.batch_id)
        if landed is not None:
            for entry in landed[1]:
                self._retry(entry, failed, now)

    def _retry(self, entry: _Waiting, failed: BatchFailed | None, now: float) -> None:
        if entry.attempts < _MAX_ATTEMPTS:
            self._route(entry, now)
            return
        kind = error_class(failed.code) if failed is not None else NodeLostError
        message = failed.message if failed is not None else "its node was lost"
        self._effects.append(RejectRequest(entry.request.id, kind(message)))

    def _lose(self, node_id: str, now: float) -> None:
        replica = self._replicas.pop(node_id, None)
        if replica is None:
            return
        for batch, entries in replica.flights.values():
            del self._where[batch.id]
            for entry in entries:
                self._retry(entry, None, now)
        for entry in replica.queue:
            self._route(entry, now)


# Ray Serve's own defaults for `@serve.batch` are ten rows and 10 ms; its router compares the
# queue lengths of two replicas.
BASELINES: Mapping[str, Callable[[int], ReplicaQueues]] = {
    "baseline_round_robin": lambda seed: ReplicaQueues(
        "baseline_round_robin", _in_turn, max_rows=1, wait_s=0.0, seed=seed
    ),
    "baseline_shorter_of_two_queues": lambda seed: ReplicaQueues(
        "baseline_shorter_of_two_queues", _shorter_of_two, max_rows=1, wait_s=0.0, seed=seed
    ),
    "baseline_replica_batching": lambda seed: ReplicaQueues(
        "baseline_replica_batching", _shorter_of_two, max_rows=10, wait_s=0.01, seed=seed
    ),
}
