"""The scheduler's state machine: events in, effects out, nothing else.

Synchronous, deterministic and without I/O. The engine drives it in real time over Ray,
Hypothesis in tests, and the simulator in virtual time: always this one machine.

A request's life: accepted (queued) → dispatched → answered. From any of these it may
leave early: cancelled, expired or refused. It gets exactly one `ResolveRequest` or
`RejectRequest`.
"""

from collections.abc import Iterable
from math import inf

from farm.core.errors import (
    DeadlineExceededError,
    ModelNotFoundError,
    QueueTimeoutError,
    RequestCancelledError,
)
from farm.core.models import ModelKey, ModelSpec, TimeoutAction
from farm.core.nodes import NodeState
from farm.core.requests import BatchFailed, InferenceRequest
from farm.scheduling.accounting import ledger_entry, receipt
from farm.scheduling.admission import Admission
from farm.scheduling.dispatching import Dispatcher
from farm.scheduling.effects import (
    AppendLedger,
    Effect,
    RejectRequest,
    ResolveRequest,
    WakeAt,
)
from farm.scheduling.events import (
    BatchFinished,
    Event,
    ModelChanged,
    NodeChanged,
    NodeHeard,
    NodeJoined,
    NodeLost,
    NodeProbed,
    RequestArrived,
    RequestCancelled,
    TimerFired,
)
from farm.scheduling.failures import Failures
from farm.scheduling.health import Health
from farm.scheduling.hedging import Hedger
from farm.scheduling.limits import SchedulingLimits
from farm.scheduling.membership import Membership
from farm.scheduling.nodes import Flight
from farm.scheduling.patience import Demand
from farm.scheduling.placement import PlacementPolicy
from farm.scheduling.retries import RetryBudget
from farm.scheduling.state import State
from farm.scheduling.tickets import UNKNOWN_ROW_S, Ticket, ticket


class Machine:
    """Accepts requests, forms batches late, places them, and answers for every one."""

    def __init__(self, *, limits: SchedulingLimits, policy: PlacementPolicy) -> None:
        self._state = State(limits)
        self._admission = Admission(self._state.queues, limits)
        self._budget = RetryBudget(ratio=limits.retry_ratio, reserve=limits.retry_reserve)
        self._health = Health(self._state)
        self._failures = Failures(self._state, self._budget, self._health)
        self._members = Membership(self._state, self._health, self._failures)
        self._dispatcher = Dispatcher(self._state, policy)
        self._hedger = Hedger(self._state, self._budget, self._dispatcher)
        self._woken_at: float | None = None

    def __repr__(self) -> str:
        state = self._state
        return (
            f"<Machine {len(state.tickets)} requests ({len(state.queues)} queued),"
            f" {len(state.flights)} batches, {len(state.nodes)} nodes>"
        )

    # -- what others may see ----------------------------------------------------------

    @property
    def accepted(self) -> int:
        """Requests that still wait for their reply."""
        return len(self._state.tickets)

    @property
    def inflight(self) -> int:
        """Batches at nodes."""
        return len(self._state.flights)

    def inflight_of(self, key: ModelKey, digest: str) -> int:
        """Return how many batches of a version and digest are at nodes."""
        flights = self._state.flights.values()
        return sum(f.batch.model == key and f.batch.digest == digest for f in flights)

    def inflight_at(self, node_id: str) -> int:
        """Return how many batches are at a node."""
        node = self._state.nodes.get(node_id)
        return len(node.flights) if node is not None else 0

    def flights_at(self, node_id: str) -> tuple[Flight, ...]:
        """Return the batches that are at a node, the oldest first."""
        node = self._state.nodes.get(node_id)
        return tuple(node.flights.values()) if node is not None else ()

    def serves(self, key: ModelKey) -> bool:
        """Whether requests of a version are accepted."""
        return key in self._state.specs

    def queued(self, key: ModelKey) -> int:
        """Return how many requests wait in a model's queue."""
        return self._state.queues.waiting(key)

    def standing(self, node_id: str) -> NodeState | None:
        """Return whether a node gets batches, or what is held against it; None if unknown."""
        node = self._state.nodes.get(node_id)
        return None if node is None else node.standing.state

    @property
    def panicking(self) -> bool:
        """Whether so many nodes are out that all get batches, suspect and ejected ones too."""
        return self._health.panicking

    def correction(self, node_id: str, digest: str) -> float | None:
        """Return what batches of a model take on a node, as a multiple of its curve.

        None for a node or a model that is not there.
        """
        node = self._state.nodes.get(node_id)
        pace = node.ready.get(digest) if node is not None else None
        return pace.correction if pace is not None else None

    # -- events -----------------------------------------------------------------------

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Take one event at time `now` (seconds, never decreasing); return what to do."""
        return self.handle_all((event,), now)

    def handle_all(self, events: Iterable[Event], now: float) -> list[Effect]:
        """Take events that happened together, then form batches once for all of them."""
        state = self._state
        state.effects, state.departed = [], []
        if self._woken_at is not None and now > self._woken_at + state.limits.stall_s:
            self._health.excuse(now)
        for event in events:
            self._apply(event, now)
        # With every node that is given up, more of the others may be needed.
        while hanging := self._health.judge(now):
            for node, reason in hanging:
                self._failures.lose(node.node_id, reason, now)
        for node in self._health.doubted():
            self._failures.recall(node)
        self._expire(now)
        opens_at = self._dispatcher.dispatch(now)
        if self._hedger.hedge(now):
            # Some may have waited for company at a node that is taken now.
            opens_at = self._dispatcher.dispatch(now)
        self._watch_departed(now)
        self._set_alarm(opens_at)
        return state.effects

    def _apply(self, event: Event, now: float) -> None:
        match event:
            case RequestArrived(request):
                self._arrive(request, now)
            case RequestCancelled(request_id):
                entry = self._state.tickets.get(request_id)
                if entry is not None:
                    error = RequestCancelledError("the caller cancelled the request")
                    self._state.abandon(entry, error)
            case BatchFinished():
                self._finish(event, now)
            case BatchFailed():
                self._failures.fail(event, now)
            case NodeJoined():
                self._members.join(event, now)
            case NodeChanged():
                self._members.change(event, now)
            case NodeHeard():
                self._members.hear(event, now)
            case NodeProbed():
                self._health.probed(event, now)
            case NodeLost():
                self._failures.lose(event.node_id, event.reason, now)
            case ModelChanged(key, spec):
                self._change_model(key, spec)
            case TimerFired():
                self._woken_at = None

    def _arrive(self, request: InferenceRequest, now: float) -> None:
        state = self._state
        spec = state.specs.get(request.model)
        if spec is None:
            name = f"model '{request.model.name}' version {request.model.version}"
            error = ModelNotFoundError(f"{name} is not served here")
            state.effects.append(RejectRequest(request.id, error))
            return
        outlook = state.nodes.outlook(spec.digest, now)
        refused = self._admission.refusal(request, spec, outlook, now)
        if refused is not None:
            state.effects.append(RejectRequest(request.id, refused))
            return
        entry = ticket(request, spec, row_s=1 / outlook.rows_per_s if outlook else UNKNOWN_ROW_S)
        state.tickets[request.id] = entry
        state.queues.push(entry)
        state.demands.setdefault(request.model, Demand()).add(request.rows, now)
        self._budget.deposit()
        expires_at = _first(request.queue_deadline, request.deadline)
        if expires_at is not None:
            state.deadlines.push(expires_at, request.id)

    def _finish(self, event: BatchFinished, now: float) -> None:
        state, completed = self._state, event.completed
        flight = state.land(completed.batch_id, now)
        if flight is None:
            return
        node = state.nodes.get(flight.node_id)
        if node is not None:
            self._health.praise(node)
            # A process of its own tells nothing of how fast the node is without one.
            if not flight.batch.isolated and node.observe(
                flight, compute_s=completed.timing.compute_ns / 1e9, now=now
            ):
                state.nodes.touch(node, now)
        for entry, outputs in zip(flight.tickets, completed.outputs, strict=True):
            if entry is not None:
                del state.tickets[entry.request.id]
                answer = receipt(entry, flight, completed)
                state.effects.append(ResolveRequest(entry.request.id, outputs, answer))
        state.outrun(flight)
        account = ledger_entry(flight, outcome="completed", completed=completed, now=now)
        state.effects.append(AppendLedger(account))

    def _change_model(self, key: ModelKey, spec: ModelSpec | None) -> None:
        """Serve a version under a new spec, or no longer; what waits must fit the new one."""
        state = self._state
        if state.specs.get(key) == spec:
            return
        if spec is None:
            del state.specs[key]
            state.demands.pop(key, None)
        else:
            state.specs[key] = spec
        for entry in state.queues.drain(key):
            state.requeue(entry)

    # -- time -------------------------------------------------------------------------

    def _watch_departed(self, now: float) -> None:
        for flight, node in self._state.departed:
            self._health.watch(flight, node, now)
            self._hedger.watch(flight, node)

    def _expire(self, now: float) -> None:
        state = self._state
        while (request_id := state.deadlines.pop_due(now)) is not None:
            entry = state.tickets.get(request_id)
            if entry is None:
                continue
            deadline = entry.request.deadline
            if deadline is not None and deadline <= now:
                error = DeadlineExceededError("the deadline passed before an answer")
                state.abandon(entry, error)
                continue
            if entry.attempts == 0 and not self._outwaits(entry):
                continue
            if deadline is not None:
                state.deadlines.push(deadline, request_id)
        state.deadlines.compact(state.tickets, len(state.tickets))

    def _outwaits(self, entry: Ticket) -> bool:
        """Act on a request whose time in the queue is up; return whether it waits on."""
        state, request = self._state, entry.request
        policy = state.specs[request.model].batching.policy(request.priority)
        if policy.timeout_action is TimeoutAction.DELAY:
            state.queues.remove(entry)
            entry.delay()
            state.queues.push(entry)
            return True
        error = QueueTimeoutError(
            "the request waited longer than its timeout; the farm is busy",
            retry_after_s=state.limits.pushback_s,
        )
        state.abandon(entry, error)
        return False

    def _set_alarm(self, opens_at: float) -> None:
        expires_at = self._state.deadlines.earliest()
        at = min(
            opens_at,
            inf if expires_at is None else expires_at,
            self._health.alarm_at(),
            self._hedger.alarm_at(),
        )
        if at < inf and (self._woken_at is None or at < self._woken_at):
            self._woken_at = at
            self._state.effects.append(WakeAt(at))


def _first(*times: float | None) -> float | None:
    known = [at for at in times if at is not None]
    return min(known) if known else None
