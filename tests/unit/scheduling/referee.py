"""What must hold of every run of the scheduler, judged from its events and effects alone."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, isclose

from patience import DELAY_TRIGGERS, TRIGGERS, held_until, shapes, suits

from farm.core.errors import ErrorCode
from farm.core.models import LatencyCurve, ModelKey, ModelSpec, TimeoutAction
from farm.core.nodes import NodeProfile
from farm.core.requests import Batch, BatchCompleted, BatchFailed, InferenceRequest
from farm.core.tensors import TensorSpec
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

Identity = tuple[str, str]


@dataclass
class Seat:
    """A node as the events describe it."""

    profile: NodeProfile
    ready: Mapping[str, LatencyCurve | None]
    cordoned: bool = False
    suspect: bool = False
    ejected_until: float = -inf
    flights: set[int] = field(default_factory=set)

    @property
    def identity(self) -> Identity:
        return self.profile.node_id, self.profile.incarnation

    def usable(self, digest: str, now: float) -> bool:
        barred = self.cordoned or self.suspect or self.ejected_until > now
        return digest in self.ready and not barred


class Referee:
    """Follows a history step by step and raises AssertionError at the first foul."""

    def __init__(self, limits: SchedulingLimits) -> None:
        self.limits = limits
        self.requests: dict[int, InferenceRequest] = {}
        # The outputs that each request was promised when it arrived.
        self._promised: dict[int, tuple[TensorSpec, ...]] = {}
        self.unanswered: set[int] = set()
        self.flights: dict[int, tuple[Batch, str]] = {}
        self.specs: dict[ModelKey, ModelSpec] = {}
        self.seats: dict[str, Seat] = {}
        self.retries = 0
        self._batch_ids: set[int] = set()
        self._runs: Counter[int] = Counter()
        self._failed_on: dict[int, list[Identity]] = {}
        self._to_retry: set[int] = set()
        self._alone: set[int] = set()
        self._cancelled: set[int] = set()
        self._delayed: set[int] = set()
        self._alarm = inf

    @property
    def waiting(self) -> set[int]:
        """Requests that are accepted, not answered and at no node."""
        flying = {member.id for batch, _ in self.flights.values() for member in batch.members}
        return self.unanswered - flying

    def judge(self, now: float, events: Iterable[Event], effects: Iterable[Effect]) -> None:
        """Take one call of the machine."""
        self._settled: dict[int, Batch] = {}
        self._answers: dict[int, BatchCompleted] = {}
        self._accounted: set[int] = set()
        self._resolved: dict[int, ResolveRequest] = {}
        self._blamed: set[int] = set()
        self._left: set[int] = set()
        events, effects = list(events), list(effects)
        self._rule_admission(events, effects)
        for event in events:
            self._see(event)
        self._see_time(now)
        for effect in effects:
            self._rule(effect, now)
        self._end_of_step(now)

    # -- events -----------------------------------------------------------------------

    def _see(self, event: Event) -> None:
        match event:
            case RequestArrived(request):
                assert request.id not in self.requests
                self.requests[request.id] = request
                served = self.specs.get(request.model)
                self._promised[request.id] = served.outputs if served is not None else ()
                self.unanswered.add(request.id)
            case RequestCancelled(request_id):
                self._left.add(request_id)
            case NodeJoined():
                self._see_join(event)
            case NodeChanged():
                seat = self.seats.get(event.node_id)
                if seat is not None:
                    seat.ready = seat.ready if event.ready is None else event.ready
                    seat.cordoned = seat.cordoned if event.cordoned is None else event.cordoned
                    seat.suspect = seat.suspect if event.suspect is None else event.suspect
            case NodeLost():
                self._see_loss(event.node_id)
            case BatchFinished(completed):
                if completed.batch_id in self.flights:
                    self._land(completed.batch_id)
                    self._answers[completed.batch_id] = completed
            case BatchFailed():
                self._see_failure(event)
            case TimerFired():
                self._alarm = inf
            case ModelChanged(key, None):
                self.specs.pop(key, None)
            case ModelChanged(key, spec) if spec is not None:
                self.specs[key] = spec

    def _see_time(self, now: float) -> None:
        """Requests whose time in the queue is up go behind, where their policy says so."""
        for request in (self.requests[id_] for id_ in self.waiting):
            spec = self.specs.get(request.model)
            up = request.queue_deadline is not None and request.queue_deadline <= now
            if spec is not None and up and not self._runs[request.id]:
                policy = spec.batching.policy(request.priority)
                if policy.timeout_action is TimeoutAction.DELAY:
                    self._delayed.add(request.id)

    def _urgency(self, request: InferenceRequest) -> tuple[int, bool, float, int]:
        deadline = inf if request.deadline is None else request.deadline
        return request.priority, request.id in self._delayed, deadline, request.id

    def _in_time(self, request: InferenceRequest, now: float) -> bool:
        """Whether a request that has not run yet may still wait or go."""
        if request.id in self._delayed or request.queue_deadline is None:
            return True
        return request.queue_deadline > now

    def _see_failure(self, failed: BatchFailed) -> None:
        if failed.batch_id not in self.flights:
            return
        if failed.retryable and failed.code is ErrorCode.NODE_LOST:
            self._see_loss(self.flights[failed.batch_id][1])
            return
        ids = [member.id for member in self.flights[failed.batch_id][0].members]
        self._land(failed.batch_id, suspects_node=failed.retryable)
        if not failed.retryable and len(ids) == 1:
            self._blamed.update(ids)
        if failed.retryable or len(ids) > 1:
            self._alone.update(ids)

    def _see_join(self, event: NodeJoined) -> None:
        seat = self.seats.get(event.profile.node_id)
        if seat is not None and seat.profile.incarnation == event.profile.incarnation:
            seat.ready = event.ready
            seat.suspect = False
            return
        self._see_loss(event.profile.node_id)
        self.seats[event.profile.node_id] = Seat(event.profile, event.ready)

    def _see_loss(self, node_id: str) -> None:
        seat = self.seats.get(node_id)
        if seat is not None:
            for batch_id in sorted(seat.flights):
                self._alone.update(member.id for member in self.flights[batch_id][0].members)
                self._land(batch_id, suspects_node=True)
            del self.seats[node_id]

    def _land(self, batch_id: int, *, suspects_node: bool = False) -> None:
        batch, node_id = self.flights.pop(batch_id)
        seat = self.seats[node_id]
        seat.flights.remove(batch_id)
        self._settled[batch_id] = batch
        for member in batch.members:
            if suspects_node and member.id in self.unanswered:
                self._failed_on.setdefault(member.id, []).append(seat.identity)
                self._to_retry.add(member.id)

    # -- effects ----------------------------------------------------------------------

    def _rule(self, effect: Effect, now: float) -> None:
        match effect:
            case DispatchBatch(batch, placement):
                assert batch.id not in self._batch_ids, "a batch id is used twice"
                assert placement.batch_id == batch.id
                self._rule_batch(batch)
                self._rule_members(batch, now)
                self._rule_node(batch, placement.node_id, now)
                self._rule_retries(batch, placement.node_id, now)
                self._batch_ids.add(batch.id)
                self.flights[batch.id] = batch, placement.node_id
                self.seats[placement.node_id].flights.add(batch.id)
                self._runs.update(member.id for member in batch.members)
            case ResolveRequest():
                self._rule_answer(effect)
            case RejectRequest(request_id, error):
                assert request_id in self.unanswered, f"a second reply for request {request_id}"
                self.unanswered.remove(request_id)
                if error.code is ErrorCode.EXECUTION_FAILED:
                    assert request_id in self._blamed, "a request pays for its batch-mates"
                if error.code is ErrorCode.MODEL_UNAVAILABLE:
                    request = self.requests[request_id]
                    spec = self.specs.get(request.model)
                    assert (
                        spec is None
                        or not suits(request, spec)
                        or spec.outputs != self._promised[request_id]
                    ), "it could have run"
            case WakeAt(at):
                assert at < self._alarm, "an alarm that changes nothing"
                self._alarm = at
                assert at > now, "an alarm that is due at once makes the driver spin"
            case CancelBatch(batch_id, node_id):
                assert self.flights[batch_id][1] == node_id
                assert batch_id not in self._cancelled
                self._cancelled.add(batch_id)
            case EjectNode(node_id, until):
                self.seats[node_id].ejected_until = until
                assert until > now
                out = sum(seat.ejected_until > now for seat in self.seats.values())
                assert out <= len(self.seats) * self.limits.eject_max_fraction
            case AppendLedger(entry):
                assert entry.batch_id not in self._accounted
                self._accounted.add(entry.batch_id)
                members = self._settled[entry.batch_id].members
                answered = sum(member.id in self._resolved for member in members)
                assert (entry.requests, entry.wasted) == (answered, len(members) - answered)
                assert entry.queue_s >= 0
                assert entry.compute_s >= 0

    def _rule_batch(self, batch: Batch) -> None:
        members = batch.members
        assert members
        spec = self.specs[batch.model]
        assert batch.digest == spec.digest
        assert batch.batched == spec.shares_batches
        assert all(member.model == batch.model for member in members), "models are mixed"
        assert all(shapes(member) == shapes(members[0]) for member in members), "shapes are mixed"
        assert len(members) == 1 or self._alone.isdisjoint(member.id for member in members), (
            "a request that may have broken a batch gets company again"
        )
        assert batch.rows == sum(member.rows for member in members)
        if spec.shares_batches:
            assert batch.rows <= spec.max_batch_size, "too many rows"
        else:
            assert len(members) == 1, "a request got company that must run alone"
        assert all(suits(member, spec) for member in members), "not the model's inputs"
        delays = spec.batching.max_queue_delay_s > 0
        assert batch.trigger in TRIGGERS | (DELAY_TRIGGERS if delays else set())
        size = sum(member.size_bytes for member in members)
        assert len(members) == 1 or size <= self.limits.max_batch_bytes, "too many bytes"

    def _rule_members(self, batch: Batch, now: float) -> None:
        waiting = self.waiting
        for member in batch.members:
            assert member.id in waiting, f"request {member.id} is answered or already at a node"
            assert member.deadline is None or member.deadline > now, "expired work is dispatched"
            assert self._runs[member.id] or self._in_time(member, now)
        if any(self._runs[member.id] for member in batch.members):
            return
        order = [self._urgency(member) for member in batch.members]
        assert order == sorted(order)
        ids = {member.id for member in batch.members}
        for request in (self.requests[id_] for id_ in waiting - ids):
            first = batch.members[0]
            if (
                request.model == batch.model
                and shapes(request) == shapes(first)
                and not self._runs[request.id]
            ):
                assert self._urgency(request) > order[-1], f"request {request.id} was jumped"

    def _rule_node(self, batch: Batch, node_id: str, now: float) -> None:
        assert node_id in self.seats, "a batch goes to a lost node"
        seat = self.seats[node_id]
        assert seat.usable(batch.digest, now), "a batch goes to a node that must get none"
        room = seat.profile.slots + seat.profile.lookahead
        assert len(seat.flights) < room, "a node is overfull"
        assert self._may_add(seat, self.specs[batch.model]), "more batches than instances"

    def _may_add(self, seat: Seat, spec: ModelSpec) -> bool:
        of_model = sum(self.flights[id_][0].model == spec.key for id_ in seat.flights)
        return not spec.max_instances or of_model < spec.max_instances

    def _rule_admission(self, events: Sequence[Event], effects: Sequence[Effect]) -> None:
        """Of requests that arrive alone, exactly those that a bound leaves room for come in."""
        if not all(isinstance(event, RequestArrived) for event in events):
            return
        refused = {
            effect.request_id: effect.error.code
            for effect in effects
            if isinstance(effect, RejectRequest)
            and effect.error.code is not ErrorCode.QUEUE_TIMEOUT
        }
        queued = [self.requests[id_] for id_ in self.waiting]
        for event in events:
            assert isinstance(event, RequestArrived)
            request = event.request
            if request.id in refused and refused[request.id] is not ErrorCode.QUEUE_FULL:
                continue
            of_model = [other for other in queued if other.model == request.model]
            of_priority = [other for other in of_model if other.priority == request.priority]
            policy = self.specs[request.model].batching.policy(request.priority)
            size_bytes = sum(other.size_bytes for other in queued) + request.size_bytes
            full = (
                len(of_model) >= self.limits.max_queue_size
                or size_bytes > self.limits.max_queued_bytes
                or 0 < policy.max_queue_size <= len(of_priority)
            )
            assert full == (request.id in refused)
            if not full:
                queued.append(request)

    def _rule_retries(self, batch: Batch, node_id: str, now: float) -> None:
        seat = self.seats[node_id]
        usable = [other for other in self.seats.values() if other.usable(batch.digest, now)]
        for member in batch.members:
            failed_on = self._failed_on.get(member.id, [])
            assert len(failed_on) < self.limits.max_attempts, (
                f"request {member.id} runs again after {len(failed_on)} retryable failures"
            )
            if seat.identity in failed_on:
                assert all(other.identity in failed_on for other in usable), (
                    f"request {member.id} is retried where it failed, and another node is usable"
                )
            if member.id in self._to_retry:
                self._to_retry.remove(member.id)
                self.retries += 1
        earned = self.limits.retry_reserve + self.limits.retry_ratio * len(self.requests)
        assert self.retries <= earned, "the retry budget is overdrawn"

    def _rule_answer(self, effect: ResolveRequest) -> None:
        request_id, receipt = effect.request_id, effect.receipt
        assert request_id in self.unanswered, f"a second reply for request {request_id}"
        self.unanswered.remove(request_id)
        answers = [
            (completed, index)
            for completed in self._answers.values()
            for index, member in enumerate(self._settled[completed.batch_id].members)
            if member.id == request_id
        ]
        assert len(answers) == 1, f"request {request_id} is answered out of nowhere"
        completed, index = answers[0]
        assert effect.outputs == completed.outputs[index], "another request's outputs"
        assert receipt.node_id == completed.node_id
        assert receipt.batch_rows == self._settled[completed.batch_id].rows
        assert receipt.attempts == self._runs[request_id]
        assert receipt.queue_s >= 0
        self._resolved[request_id] = effect

    # -- at the end of every step -----------------------------------------------------

    def _end_of_step(self, now: float) -> None:
        assert self._accounted == set(self._settled), "a settled batch has one ledger entry"
        assert self._left.isdisjoint(self.unanswered), "a cancelled request waits on"
        assert self._blamed.isdisjoint(self.unanswered), "a request that failed alone waits on"
        for completed in self._answers.values():
            self._conserves(completed)
        for batch_id, (batch, _) in self.flights.items():
            unwanted = all(member.id not in self.unanswered for member in batch.members)
            assert unwanted == (batch_id in self._cancelled)
        waiting = self.waiting
        for request in (self.requests[id_] for id_ in self.unanswered):
            assert request.deadline is None or request.deadline > now, "an expired request lives"
            if request.id in waiting and not self._runs[request.id]:
                assert self._in_time(request, now)
                assert suits(request, self.specs[request.model])
        self._nobody_waits_for_nothing(now, waiting)

    def _conserves(self, completed: BatchCompleted) -> None:
        members = self._settled[completed.batch_id].members
        for member in members:
            assert member.id not in self.unanswered, "a finished batch leaves a member unanswered"
        shares = [self._resolved[m.id].receipt.energy for m in members if m.id in self._resolved]
        if completed.energy is None:
            assert all(share is None for share in shares)
            return
        known = [share for share in shares if share is not None]
        assert len(known) == len(shares)
        joules = sum(share.joules for share in known)
        if len(shares) == len(members):
            assert isclose(joules, completed.energy.joules)
        else:
            assert joules <= completed.energy.joules * (1 + 1e-9)

    def _nobody_waits_for_nothing(self, now: float, waiting: set[int]) -> None:
        """A request that has not run yet never waits beside a free slot, but for company.

        Left out are models of which a waiting request has run: it may block its lane.
        """
        retried = {self.requests[id_].model for id_ in waiting if self._runs[id_]}
        for request in (self.requests[id_] for id_ in waiting):
            if request.model in retried or request.model not in self.specs:
                continue
            spec = self.specs[request.model]
            free = [
                seat
                for seat in self.seats.values()
                if seat.usable(spec.digest, now)
                and len(seat.flights) < seat.profile.slots
                and self._may_add(seat, spec)
            ]
            if not free:
                continue
            mates = (self.requests[id_] for id_ in waiting)
            lane = [m for m in mates if m.model == spec.key and shapes(m) == shapes(request)]
            curves = [seat.ready[spec.digest] for seat in free]
            until = held_until(lane, spec, curves, self.limits, self._delayed)
            assert until is not None, f"request {request.id} waits beside a free slot"
            assert now < until, f"request {request.id} waits too long beside a free slot"
            assert self._alarm <= until, f"nobody will wake request {request.id}"
