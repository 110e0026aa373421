"""An accepted request on its way, from arrival to its one reply."""

from dataclasses import dataclass, field
from math import inf

from farm.core.models import ModelSpec
from farm.core.requests import BatchSignature, InferenceRequest
from farm.core.tensors import TensorSpec
from farm.scheduling.turns import Turn

# (priority, delayed, deadline, order of arrival): smaller goes first.
Urgency = tuple[int, bool, float, int]

# Requests of one lane may ride together. Those of a model that joins none share a lane too,
# and leave it one by one; a request that is barred from company has a lane of its own.
LaneKey = BatchSignature | int
ONE_BY_ONE = 0

# A node and its incarnation.
Identity = tuple[str, str]

# What a row costs its client where nothing is known of the model, in seconds of the farm.
UNKNOWN_ROW_S = 0.001


@dataclass(slots=True)
class Ticket:
    """What is known of a request beside what its client sent.

    `attempts` counts dispatches, `failures` those that ended without an answer for no fault
    of its own, but for the `spared` ones: a node was lost while it ran in a process of its own
    there. `avoid` names the nodes where they did. It is `suspect` if one died of it, perhaps.
    `refusals` counts the nodes that were full. `batch_id` is None while it is
    queued; `turn` is its client's, from when it is first queued. `delayed` is set once its
    time in the queue is up. `outputs` are what its caller was promised. `cost_s` is the time
    of the whole farm that it is expected to take: what its client's share is charged with.
    """

    request: InferenceRequest
    outputs: tuple[TensorSpec, ...]
    lane: LaneKey
    urgency: Urgency
    size_bytes: int
    cost_s: float
    attempts: int = 0
    failures: int = 0
    spared: int = 0
    refusals: int = 0
    avoid: frozenset[Identity] = frozenset()
    batch_id: int | None = None
    alone: bool = False
    suspect: bool = False
    delayed: bool = False
    turn: Turn = field(init=False, repr=False, compare=False)

    def isolate(self) -> None:
        """Bar the request from company: it runs alone from now on."""
        self.alone = True
        self.lane = self.request.id

    def delay(self) -> None:
        """Put the request behind all others of its priority. It must not be queued now."""
        self.delayed = True
        self.urgency = urgency_of(self.request, delayed=True)


def lane_of(request: InferenceRequest, *, batched: bool) -> LaneKey:
    """Return what a request may share a batch with: nothing, where requests run alone."""
    return request.signature() if batched else ONE_BY_ONE


def ticket(request: InferenceRequest, spec: ModelSpec, *, row_s: float = UNKNOWN_ROW_S) -> Ticket:
    """Return the ticket of a request that arrived just now for a model of this spec.

    `row_s` is the time that the whole farm takes for one row of the model, in seconds.
    """
    return Ticket(
        request=request,
        outputs=spec.outputs,
        lane=lane_of(request, batched=spec.shares_batches),
        urgency=urgency_of(request, delayed=False),
        size_bytes=request.size_bytes,
        cost_s=max(request.rows, 1) * row_s,
    )


def urgency_of(request: InferenceRequest, *, delayed: bool) -> Urgency:
    """Return where a request stands among those of its client."""
    deadline = inf if request.deadline is None else request.deadline
    return request.priority, delayed, deadline, request.id
