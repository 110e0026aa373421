"""The scheduler's state machine: events in, effects out, nothing else.

Synchronous, deterministic and without I/O. The engine drives it in real time over Ray,
Hypothesis in tests, and later the simulator in virtual time: always this one machine.

A request's life: accepted (queued) → dispatched → answered. From any of these it may
leave early: cancelled, expired or refused. It gets exactly one `ResolveRequest` or
`RejectRequest`.
"""

from collections.abc import Iterable
from math import inf

from farm.core.errors import (
    DeadlineExceededError,
    ErrorCode,
    FarmError,
    ModelNotFoundError,
    ModelUnavailableError,
    QueueTimeoutError,
    RequestCancelledError,
    error_class,
)
from farm.core.models import ModelKey, ModelSpec
from farm.core.requests import Batch, BatchFailed, InferenceRequest, Placement
from farm.scheduling.accounting import energy_shares, ledger_entry, receipt
from farm.scheduling.admission import misfit, refusal
from farm.scheduling.deadlines import DeadlineHeap
from farm.scheduling.effects import (
    AppendLedger,
    CancelBatch,
    DispatchBatch,
    Effect,
    EjectNode,
    RejectRequest,
    ResolveRequest,
    WakeAt,
)
from farm.scheduling.events import (
    BatchFinished,
    Event,
    ModelChanged,
    NodeChanged,
    NodeJoined,
    NodeLost,
    RequestArrived,
    RequestCancelled,
    TimerFired,
)
from farm.scheduling.limits import SchedulingLimits
from farm.scheduling.nodes import Flight, Node
from farm.scheduling.placement import PlacementPolicy
from farm.scheduling.planning import Plan, Planner, Wait
from farm.scheduling.queue import ModelQueue, Ticket, lane_of, ticket
from farm.scheduling.retries import RetryBudget

# Failures that say nothing about how well a node works.
_NOT_A_NODES_FAULT = (ErrorCode.NODE_BUSY, ErrorCode.CANCELLED)


class Machine:
    """Accepts requests, forms batches late, places them, and answers for every one."""

    def __init__(self, *, limits: SchedulingLimits, policy: PlacementPolicy) -> None:
        self._limits = limits
        self._planner = Planner(limits=limits, policy=policy)
        self._policy_name = policy.name
        self._budget = RetryBudget(ratio=limits.retry_ratio, reserve=limits.retry_reserve)
        # The only mutable collections. A ticket is in _tickets from acceptance to reply;
        # until then it is either in its model's queue or in exactly one flight.
        self._specs: dict[ModelKey, ModelSpec] = {}
        self._queues: dict[ModelKey, ModelQueue] = {}
        self._nodes: dict[str, Node] = {}
        self._tickets: dict[int, Ticket] = {}
        self._flights: dict[int, Flight] = {}
        self._deadlines = DeadlineHeap()
        self._batch_ids = 0
        self._woken_at: float | None = None
        self._effects: list[Effect] = []

    def __repr__(self) -> str:
        queued = sum(len(queue) for queue in self._queues.values())
        return (
            f"<Machine {len(self._tickets)} requests ({queued} queued),"
            f" {len(self._flights)} batches, {len(self._nodes)} nodes>"
        )

    # -- what others may see ----------------------------------------------------------

    @property
    def accepted(self) -> int:
        """Requests that still wait for their reply."""
        return len(self._tickets)

    @property
    def inflight(self) -> int:
        """Batches at nodes."""
        return len(self._flights)

    def queued(self, key: ModelKey) -> int:
        """Return how many requests wait in a model's queue."""
        queue = self._queues.get(key)
        return len(queue) if queue else 0

    def ejected(self, node_id: str) -> bool:
        """Return whether a node is out for its failures."""
        node = self._nodes.get(node_id)
        return node is not None and node.ejected_until is not None

    # -- events -----------------------------------------------------------------------

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Take one event at time `now` (seconds, never decreasing); return what to do."""
        return self.handle_all((event,), now)

    def handle_all(self, events: Iterable[Event], now: float) -> list[Effect]:
        """Take events that happened together, then form batches once for all of them."""
        self._effects = []
        for event in events:
            self._apply(event, now)
        self._expire(now)
        for node in self._nodes.values():
            node.readmit(now)
        lookahead_at = self._dispatch(now)
        self._set_alarm(lookahead_at)
        return self._effects

    def _apply(self, event: Event, now: float) -> None:
        match event:
            case RequestArrived(request):
                self._arrive(request, now)
            case RequestCancelled(request_id):
                entry = self._tickets.get(request_id)
                if entry is not None:
                    self._abandon(entry, RequestCancelledError("the caller cancelled the request"))
            case BatchFinished():
                self._finish(event, now)
            case BatchFailed():
                self._fail(event, now)
            case NodeJoined():
                self._join(event, now)
            case NodeChanged():
                self._change(event)
            case NodeLost():
                self._lose(event.node_id, event.reason, now)
            case ModelChanged(key, spec):
                self._change_model(key, spec)
            case TimerFired():
                self._woken_at = None

    def _arrive(self, request: InferenceRequest, now: float) -> None:
        error = self._refusal(request, now)
        if error is not None:
            self._effects.append(RejectRequest(request.id, error))
            return
        spec = self._specs[request.model]
        entry = ticket(request, batched=spec.batched)
        self._tickets[request.id] = entry
        self._queues[request.model].push(entry)
        self._budget.deposit()
        expires_at = _first(request.queue_deadline, request.deadline)
        if expires_at is not None:
            self._deadlines.push(expires_at, request.id)

    def _refusal(self, request: InferenceRequest, now: float) -> FarmError | None:
        spec = self._specs.get(request.model)
        if spec is None:
            return ModelNotFoundError(
                f"model '{request.model.name}' version {request.model.version} is not served here"
            )
        return refusal(
            request,
            spec,
            queued=len(self._queues[request.model]),
            queued_bytes=sum(queue.size_bytes for queue in self._queues.values()),
            limits=self._limits,
            now=now,
        )

    def _finish(self, event: BatchFinished, now: float) -> None:
        completed = event.completed
        flight = self._land(completed.batch_id)
        if flight is None:
            return
        node = self._nodes.get(flight.node_id)
        if node is not None:
            node.praise()
        shares = energy_shares(flight, completed)
        for entry, outputs, energy in zip(flight.tickets, completed.outputs, shares, strict=True):
            if entry is not None:
                del self._tickets[entry.request.id]
                answer = receipt(entry, flight, completed.timing, energy)
                self._effects.append(ResolveRequest(entry.request.id, outputs, answer))
        account = ledger_entry(flight, outcome="completed", completed=completed, now=now)
        self._effects.append(AppendLedger(account))

    def _fail(self, failed: BatchFailed, now: float) -> None:
        if failed.retryable and failed.code is ErrorCode.NODE_LOST and self._is_at(failed):
            # Its other batches are lost with it, and it must not get new ones.
            self._lose(failed.node_id, failed.message, now)
            return
        flight = self._land(failed.batch_id)
        if flight is None:
            return
        if failed.retryable:
            node = self._nodes.get(flight.node_id)
            if node is not None and flight.wanted and failed.code not in _NOT_A_NODES_FAULT:
                self._punish(node, now)
            self._retry(flight, failed.code, failed.message)
        else:
            self._isolate(flight, failed)
        account = ledger_entry(flight, outcome=failed.code, completed=None, now=now)
        self._effects.append(AppendLedger(account))

    def _is_at(self, failed: BatchFailed) -> bool:
        """Whether a batch is in flight at the incarnation of its node that is known now."""
        node = self._nodes.get(failed.node_id)
        flight = node.flights.get(failed.batch_id) if node is not None else None
        return flight is not None and flight.incarnation == failed.incarnation

    def _retry(self, flight: Flight, code: ErrorCode, message: str) -> None:
        """Give the members of a batch that a node did not finish another chance elsewhere.

        Each runs alone then, for one of them may have killed the node.
        """
        for entry in flight.tickets:
            if entry is None:
                continue
            entry.failures += 1
            entry.avoid |= {(flight.node_id, flight.incarnation)}
            entry.isolate()
            spent = entry.failures >= self._limits.max_attempts
            if not spent and self._budget.withdraw():
                self._requeue(entry)
                continue
            why = f"it failed {entry.failures} times" if spent else "the retry budget is used up"
            error = error_class(code)(
                f"{message}; {why}, so try again later", retry_after_s=self._limits.pushback_s
            )
            self._reject(entry, error)

    def _isolate(self, flight: Flight, failed: BatchFailed) -> None:
        """Find out which member a model failed on by running each alone."""
        if len(flight.batch.members) == 1:
            for entry in flight.tickets:
                if entry is not None:
                    self._reject(entry, error_class(failed.code)(failed.message))
            return
        for entry in flight.tickets:
            if entry is not None:
                entry.isolate()
                self._requeue(entry)

    def _requeue(self, entry: Ticket) -> None:
        spec = self._specs.get(entry.request.model)
        error = _unloaded(entry.request.model) if spec is None else misfit(entry.request, spec)
        if error is not None:
            self._reject(entry, error)
            return
        entry.batch_id = None
        self._queues[entry.request.model].push(entry)

    def _join(self, event: NodeJoined, now: float) -> None:
        profile = event.profile
        known = self._nodes.get(profile.node_id)
        if known is not None and known.profile.incarnation == profile.incarnation:
            known.ready = event.ready
            known.suspect = False
            return
        if known is not None:
            self._lose(profile.node_id, "the node restarted", now)
        self._nodes[profile.node_id] = Node(profile=profile, ready=event.ready)

    def _change(self, event: NodeChanged) -> None:
        node = self._nodes.get(event.node_id)
        if node is None:
            return
        if event.ready is not None:
            node.ready = event.ready
        if event.cordoned is not None:
            node.cordoned = event.cordoned
        if event.suspect is not None:
            node.suspect = event.suspect

    def _lose(self, node_id: str, reason: str, now: float) -> None:
        node = self._nodes.pop(node_id, None)
        if node is None:
            return
        for flight in list(node.flights.values()):
            self._land(flight.batch.id)
            self._retry(flight, ErrorCode.NODE_LOST, f"node '{node_id}' was lost ({reason})")
            account = ledger_entry(flight, outcome=ErrorCode.NODE_LOST, completed=None, now=now)
            self._effects.append(AppendLedger(account))

    def _change_model(self, key: ModelKey, spec: ModelSpec | None) -> None:
        """Serve a version under a new spec, or no longer; what waits must fit the new one."""
        known = self._specs.pop(key, None)
        queue = self._queues.pop(key, None)
        if spec is not None:
            self._specs[key] = spec
            self._queues[key] = queue if queue is not None and known == spec else ModelQueue()
        if queue is None or known == spec:
            return
        for entry in queue.tickets():
            if spec is not None and not entry.alone:
                entry.lane = lane_of(entry.request, batched=spec.batched)
            self._requeue(entry)

    def _punish(self, node: Node, now: float) -> None:
        out = sum(other.ejected_until is not None for other in self._nodes.values())
        may_eject = out + 1 <= len(self._nodes) * self._limits.eject_max_fraction
        reason = node.punish(now, self._limits, may_eject=may_eject)
        if node.ejected_until is not None and reason:
            self._effects.append(EjectNode(node.profile.node_id, node.ejected_until, reason))

    # -- endings ----------------------------------------------------------------------

    def _reject(self, entry: Ticket, error: FarmError) -> None:
        """End a request that is in no queue and in no flight."""
        del self._tickets[entry.request.id]
        self._effects.append(RejectRequest(entry.request.id, error))

    def _abandon(self, entry: Ticket, error: FarmError) -> None:
        """End a request wherever it is, without touching its batch-mates."""
        if entry.batch_id is None:
            self._queues[entry.request.model].remove(entry)
        else:
            flight = self._flights[entry.batch_id]
            flight.tickets[flight.tickets.index(entry)] = None
            if not flight.wanted:
                self._effects.append(CancelBatch(flight.batch.id, flight.node_id))
        self._reject(entry, error)

    def _land(self, batch_id: int) -> Flight | None:
        """Take a batch out of the air; None if it was settled before (a late answer)."""
        flight = self._flights.pop(batch_id, None)
        if flight is not None and (node := self._nodes.get(flight.node_id)) is not None:
            node.flights.pop(batch_id, None)
        return flight

    # -- time -------------------------------------------------------------------------

    def _expire(self, now: float) -> None:
        while (request_id := self._deadlines.pop_due(now)) is not None:
            entry = self._tickets.get(request_id)
            if entry is None:
                continue
            deadline = entry.request.deadline
            if deadline is not None and deadline <= now:
                self._abandon(entry, DeadlineExceededError("the deadline passed before an answer"))
            elif entry.attempts == 0:
                self._abandon(
                    entry,
                    QueueTimeoutError(
                        "the request waited longer than its timeout; the farm is busy",
                        retry_after_s=self._limits.pushback_s,
                    ),
                )
            elif deadline is not None:
                self._deadlines.push(deadline, request_id)
        self._deadlines.compact(self._tickets, len(self._tickets))

    def _set_alarm(self, lookahead_at: float) -> None:
        alarms = [lookahead_at]
        if (expires_at := self._deadlines.earliest()) is not None:
            alarms.append(expires_at)
        alarms += [n.ejected_until for n in self._nodes.values() if n.ejected_until is not None]
        at = min(alarms)
        if at < inf and (self._woken_at is None or at < self._woken_at):
            self._woken_at = at
            self._effects.append(WakeAt(at))

    # -- batches ----------------------------------------------------------------------

    def _dispatch(self, now: float) -> float:
        """Form and place batches until no waiting request can go anywhere.

        Returns when a look-ahead slot will open for a request that waits now, or infinity.
        """
        while True:
            plan = self._planner.next(self._specs, self._queues, self._nodes.values(), now)
            if isinstance(plan, Wait):
                return plan.until
            entries = self._queues[plan.spec.key].take(
                plan.lane, target_rows=plan.rows, max_bytes=self._limits.max_batch_bytes
            )
            self._send(plan, entries, now)

    def _send(self, plan: Plan, entries: list[Ticket], now: float) -> None:
        spec, node = plan.spec, plan.node
        self._batch_ids += 1
        rows = sum(entry.request.rows for entry in entries)
        batch = Batch(
            id=self._batch_ids,
            model=spec.key,
            digest=spec.digest,
            members=tuple(entry.request for entry in entries),
            rows=rows,
            batched=spec.batched,
            formed_at=now,
            trigger="free_slot" if node.has_free_slot else "lookahead",
        )
        curve = node.ready[spec.digest]
        compute_s = curve.seconds(max(rows, 1)) if curve is not None else 0.0
        flight = Flight(
            batch=batch,
            node_id=node.profile.node_id,
            incarnation=node.profile.incarnation,
            tickets=[*entries],
            dispatched_at=now,
            predicted_s=self._limits.dispatch_overhead_s + compute_s,
        )
        for entry in entries:
            entry.attempts += 1
            entry.batch_id = batch.id
        node.flights[batch.id] = flight
        node.last_used = batch.id
        self._flights[batch.id] = flight
        placement = Placement(
            batch_id=batch.id,
            node_id=node.profile.node_id,
            policy=self._policy_name,
            reason=plan.reason,
        )
        self._effects.append(DispatchBatch(batch, placement))


def _first(*times: float | None) -> float | None:
    known = [at for at in times if at is not None]
    return min(known) if known else None


def _unloaded(key: ModelKey) -> ModelUnavailableError:
    return ModelUnavailableError(f"model '{key.name}' version {key.version} was unloaded")
