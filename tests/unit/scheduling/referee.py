"""What must hold of every run of the scheduler, judged from its events and effects alone."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from math import inf, isclose

from patience import DELAY_TRIGGERS, TRIGGERS, held_until, shapes, suits
from seats import Identity, Seat, Seats

from farm.core.errors import ErrorCode
from farm.core.ledger import WasteKind
from farm.core.models import ModelKey, ModelSpec, TimeoutAction
from farm.core.requests import (
    Batch,
    BatchCompleted,
    BatchFailed,
    InferenceRequest,
    LedgerEntry,
    Placement,
)
from farm.core.tensors import TensorSpec
from farm.scheduling.effects import (
    AppendLedger,
    CancelBatch,
    DispatchBatch,
    Effect,
    EjectNode,
    ProbeNode,
    RejectRequest,
    ReplaceNode,
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
from farm.scheduling.limits import SchedulingLimits
from farm.scheduling.placement import PlacementPolicy


class Referee:
    """Follows a history step by step and raises AssertionError at the first foul."""

    def __init__(self, limits: SchedulingLimits, policy: PlacementPolicy) -> None:
        self.limits = limits
        self.policy = policy
        self.requests: dict[int, InferenceRequest] = {}
        # The outputs that each request was promised when it arrived.
        self._promised: dict[int, tuple[TensorSpec, ...]] = {}
        self.unanswered: set[int] = set()
        self.flights: dict[int, tuple[Batch, str]] = {}
        self._node_of: dict[int, str] = {}
        self.specs: dict[ModelKey, ModelSpec] = {}
        self.seats = Seats(limits)
        # Requests that ran a second time: retried or hedged.
        self.reruns = 0
        self._batch_ids: set[int] = set()
        self._runs: Counter[int] = Counter()
        self._failed_on: dict[int, list[Identity]] = {}
        # How often the node was lost while a request ran in a process of its own there.
        self._spared: Counter[int] = Counter()
        self._to_retry: set[int] = set()
        self._alone: set[int] = set()
        # Requests of which a node may have died, and how often full nodes refused one.
        self._suspect: set[int] = set()
        self._refusals: Counter[int] = Counter()
        self._cancelled: set[int] = set()
        # Batches that waited at a node when it was suspected: their members wait again.
        self._recalled: set[int] = set()
        self._delayed: set[int] = set()
        self._alarm = inf

    @property
    def waiting(self) -> set[int]:
        """Requests that are accepted, not answered and at no node."""
        flying = {
            member.id
            for batch_id, (batch, _) in self.flights.items()
            if batch_id not in self._recalled
            for member in batch.members
        }
        return self.unanswered - flying

    def judge(self, now: float, events: Iterable[Event], effects: Iterable[Effect]) -> None:
        """Take one call of the machine."""
        self._now = now
        self._settled: dict[int, Batch] = {}
        # Which batch answered a request, of the twins that may both have finished now.
        self._winner: dict[int, int] = {}
        self._answers: dict[int, BatchCompleted] = {}
        self._accounted: set[int] = set()
        self._resolved: dict[int, ResolveRequest] = {}
        self._blamed: set[int] = set()
        self._left: set[int] = set()
        self._given_up: set[Identity] = set()
        events, effects = list(events), list(effects)
        self._replied = {
            effect.request_id
            for effect in effects
            if isinstance(effect, RejectRequest | ResolveRequest)
        }
        self._rule_admission(events, effects)
        if now > self._alarm + self.limits.stall_s:
            self.seats.excuse(now)
        for event in events:
            self._see(event)
        # Whoever is ejected is out before anybody asks who hangs, and who gets batches.
        for effect in effects:
            if isinstance(effect, EjectNode | ProbeNode):
                self._rule_ejection(effect, now)
        while hanging := self.seats.judge(now):
            for seat in hanging:
                self._given_up.add(seat.identity)
                self._see_loss(seat.profile.node_id)
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
            case NodeHeard(node_id=node_id, incarnation=incarnation):
                seat = self.seats.get(node_id)
                if seat is not None and seat.identity == (node_id, incarnation):
                    seat.heard_at, seat.silent = self._now, False
            case NodeProbed(node_id=node_id, incarnation=incarnation, ok=ok):
                seat = self.seats.get(node_id)
                if seat is not None and seat.identity == (node_id, incarnation) and ok:
                    seat.probed_until = None
            case NodeLost():
                self._see_loss(event.node_id)
            case BatchFinished(completed):
                if completed.batch_id in self.flights:
                    if completed.batch_id not in self._recalled:
                        for member in self.flights[completed.batch_id][0].members:
                            self._winner.setdefault(member.id, completed.batch_id)
                        self._answers[completed.batch_id] = completed
                    self._land(completed.batch_id)
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

    def _whose(self, request: InferenceRequest) -> str:
        return request.client if self.limits.fair else ""

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
        batch, node_id = self.flights[failed.batch_id]
        if failed.batch_id in self._recalled:
            if failed.code is ErrorCode.NODE_BUSY:
                self.seats[node_id].paused_until = self._now + self.limits.busy_pause_s
            self._land(failed.batch_id)
            return
        if failed.retryable and failed.code is ErrorCode.NODE_BUSY:
            self.seats[node_id].paused_until = self._now + self.limits.busy_pause_s
            self._land(failed.batch_id)
            ids = {member.id for member in batch.members} & self.unanswered - self._winner.keys()
            self._runs.subtract(ids)
            self._refusals.update(ids & self.waiting)
            return
        ids = [member.id for member in batch.members]
        self._land(failed.batch_id, suspects_node=failed.retryable)
        rides_on = not self.waiting.issuperset(set(ids) & self.unanswered)
        if not failed.retryable and len(ids) == 1 and not rides_on:
            self._blamed.update(ids)
        if failed.retryable or (len(ids) > 1 and not rides_on):
            self._alone.update(ids)

    def _see_join(self, event: NodeJoined) -> None:
        seat = self.seats.get(event.profile.node_id)
        if seat is not None and seat.profile.incarnation == event.profile.incarnation:
            seat.ready = event.ready
            return
        self._see_loss(event.profile.node_id)
        self.seats[event.profile.node_id] = Seat(event.profile, event.ready)

    def _see_loss(self, node_id: str) -> None:
        seat = self.seats.get(node_id)
        if seat is not None:
            for batch_id in sorted(seat.flights):
                if batch_id in self._recalled:
                    self._land(batch_id)
                    continue
                ids = {member.id for member in self.flights[batch_id][0].members}
                self._alone |= ids
                self._suspect |= ids & self.unanswered
                if self.flights[batch_id][0].isolated:
                    self._spared.update(ids)
                self._land(batch_id, suspects_node=True)
            del self.seats[node_id]

    def _land(self, batch_id: int, *, suspects_node: bool = False) -> None:
        batch, node_id = self.flights.pop(batch_id)
        seat = self.seats[node_id]
        seat.leave(batch_id, self._now)
        self._settled[batch_id] = batch
        if suspects_node:
            for member in batch.members:
                if member.id in self.unanswered:
                    self._failed_on.setdefault(member.id, []).append(seat.identity)
            self._to_retry |= {member.id for member in batch.members} & self.waiting

    # -- effects ----------------------------------------------------------------------

    def _rule(self, effect: Effect, now: float) -> None:
        match effect:
            case DispatchBatch(batch, placement):
                assert batch.id not in self._batch_ids, "a batch id is used twice"
                assert placement.batch_id == batch.id
                self._rule_batch(batch)
                if batch.trigger == "hedge":
                    self._rule_hedge(batch, placement.node_id)
                else:
                    self._rule_members(batch, now)
                self._rule_node(batch, placement, now)
                self._rule_retries(batch, placement.node_id, now)
                self._batch_ids.add(batch.id)
                self.flights[batch.id] = batch, placement.node_id
                self._node_of[batch.id] = placement.node_id
                self.seats[placement.node_id].board(batch, now)
                self._runs.update(member.id for member in batch.members)
            case ResolveRequest():
                self._rule_answer(effect)
            case RejectRequest(request_id, error):
                assert request_id in self.unanswered, f"a second reply for request {request_id}"
                self.unanswered.remove(request_id)
                if error.code is ErrorCode.EXECUTION_FAILED:
                    assert request_id in self._blamed, "a request pays for its batch-mates"
                if error.code is ErrorCode.NODE_BUSY:
                    assert self._refusals[request_id] >= self.limits.max_refusals
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
                assert self._node_of[batch_id] == node_id
                assert batch_id in self.flights or batch_id in self._settled
                assert batch_id not in self._cancelled
                self._cancelled.add(batch_id)
                self._rule_recall(batch_id, node_id)
            case ReplaceNode(node_id, incarnation):
                self._given_up.remove((node_id, incarnation))
            case AppendLedger(entry):
                assert entry.batch_id not in self._accounted
                self._accounted.add(entry.batch_id)
                members = self._settled[entry.batch_id].members
                answered = sum(self._answered_by(m, entry.batch_id) for m in members)
                assert (entry.requests, entry.wasted) == (answered, len(members) - answered)
                self._rule_waste(entry)
                kept = [m.rows for m in members if self._answered_by(m, entry.batch_id)]
                assert sum(kept) + sum(entry.waste.values()) == entry.rows
                assert entry.queue_s >= 0
                assert entry.compute_s >= 0

    def _rule_recall(self, batch_id: int, node_id: str) -> None:
        """A batch that somebody waits for is taken back only before it has begun."""
        batch, _ = self.flights.get(batch_id, (None, ""))
        members = {member.id for member in batch.members} & self.unanswered if batch else set()
        if not members - self._replied - self._elsewhere(batch_id):
            return
        seat = self.seats[node_id]
        assert not seat.trusted, "a batch is taken back from a node that nothing is held against"
        assert batch_id not in seat.started, "a batch is taken back that has begun"
        self._recalled.add(batch_id)
        self._runs.subtract(members)
        self._see_time(self._now)

    def _elsewhere(self, batch_id: int) -> set[int]:
        """Who is in another batch too: such a one was outrun."""
        return {
            member.id
            for other, (batch, _) in self.flights.items()
            if other != batch_id and other not in self._recalled
            for member in batch.members
        } | {id_ for id_, winner in self._winner.items() if winner != batch_id}

    def _rule_waste(self, entry: LedgerEntry) -> None:
        may_be = {WasteKind.CANCELLED, WasteKind.EXPIRED}
        if entry.outcome != "completed":
            may_be |= {WasteKind.FAILED, WasteKind.RETRIED}
        if self.limits.hedging is not None:
            may_be.add(WasteKind.HEDGED)
        if entry.batch_id in self._cancelled:
            # It may have been taken back.
            may_be.add(WasteKind.RETRIED)
        assert entry.waste.keys() <= may_be
        assert bool(entry.waste) is (entry.wasted > 0)

    def _rule_ejection(self, effect: EjectNode | ProbeNode, now: float) -> None:
        seat = self.seats[effect.node_id]
        if isinstance(effect, ProbeNode):
            assert seat.identity == (effect.node_id, effect.incarnation)
            assert set(effect.digests) == seat.ready.keys()
            assert seat.ejected_until is not None
            assert seat.ejected_until <= now
            seat.ejected_until, seat.probed_until = None, now + self.limits.probe_timeout_s
            return
        assert effect.until > now
        # It stays out after a probe that failed, whatever became of the others.
        if seat.probed_until is None:
            assert seat.ejected_until is None, "a node is ejected that is out"
            out = sum(seat.out for seat in self.seats.values()) + 1
            assert out <= len(self.seats) * self.limits.eject_max_fraction
        seat.ejected_until, seat.probed_until = effect.until, None

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
        assert batch.isolated == any(member.id in self._suspect for member in members)
        delays = spec.batching.max_queue_delay_s > 0
        hedges = {"hedge"} if self.limits.hedging is not None else set()
        assert batch.trigger in TRIGGERS | hedges | (DELAY_TRIGGERS if delays else set())
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
        levels = [self._urgency(member)[:2] for member in batch.members]
        assert levels == sorted(levels)
        # Between clients it is by turns; what goes before what of one client is certain.
        last = {self._whose(member): self._urgency(member) for member in reversed(batch.members)}
        for member in batch.members:
            whose = self._whose(member)
            assert last[whose] <= self._urgency(member)
            last[whose] = self._urgency(member)
        ids = {member.id for member in batch.members}
        for request in (self.requests[id_] for id_ in waiting - ids):
            first = batch.members[0]
            if (
                request.model == batch.model
                and shapes(request) == shapes(first)
                and not self._runs[request.id]
            ):
                jumped = f"request {request.id} was jumped"
                assert self._urgency(request)[:2] >= levels[-1], jumped
                if self._whose(request) in last:
                    assert self._urgency(request) > last[self._whose(request)], jumped

    def _rule_node(self, batch: Batch, placement: Placement, now: float) -> None:
        assert placement.node_id in self.seats, "a batch goes to a lost node"
        seat = self.seats[placement.node_id]
        usable = self.seats.usable(batch.digest, now)
        assert seat in usable, "a batch goes to a node that must get none"
        assert placement.policy == self.policy.name
        assert batch.threads == seat.threads(batch.digest)
        assert seat.takes(batch.threads), "a node is overfull"
        assert self._may_add(seat, self.specs[batch.model]), "more batches than instances"
        if not self.policy.patient and seat.claimed() + batch.threads > seat.profile.capacity:
            free = self._free(batch.members[0], now)
            held_back = sum(len(seats) > 0 for seats in self._cramped(self.waiting, now).values())
            assert len(free) <= held_back, "a batch queues at a node beside a free slot"

    def _may_add(self, seat: Seat, spec: ModelSpec) -> bool:
        of_model = sum(batch.model == spec.key for batch in seat.flights.values())
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
        if ErrorCode.DEADLINE_EXCEEDED in refused.values():
            # Who was put out for that may have come in first, and have taken a place.
            return
        queued = [self.requests[id_] for id_ in self.waiting]
        for event in events:
            assert isinstance(event, RequestArrived)
            request = event.request
            if request.id in refused and refused[request.id] is not ErrorCode.QUEUE_FULL:
                continue
            of_model = [other for other in queued if other.model == request.model]
            of_priority = [other for other in of_model if other.priority == request.priority]
            policy = self.specs[request.model].batching.policy(request.priority)
            places = self.limits.max_queue_size - len(of_model)
            room_bytes = self.limits.max_queued_bytes - sum(other.size_bytes for other in queued)
            rivals = [o for o in queued if self.limits.fair and o.client == request.client]
            of_client = sum(other.model == request.model for other in rivals)
            client_bytes = sum(other.size_bytes for other in rivals)
            full = (
                of_client >= places
                or client_bytes + request.size_bytes > room_bytes
                or 0 < policy.max_queue_size <= len(of_priority)
            )
            assert full == (request.id in refused)
            if not full:
                queued.append(request)

    def _rule_retries(self, batch: Batch, node_id: str, now: float) -> None:
        seat = self.seats[node_id]
        usable = self.seats.usable(batch.digest, now)
        for member in batch.members:
            failed_on = self._failed_on.get(member.id, [])
            spared = min(self._spared[member.id], self.limits.max_attempts)
            assert len(failed_on) - spared < self.limits.max_attempts, (
                f"request {member.id} runs again after {len(failed_on)} retryable failures"
            )
            if seat.identity in failed_on:
                assert all(other.identity in failed_on for other in usable), (
                    f"request {member.id} is retried where it failed, and another node is usable"
                )
            if member.id in self._to_retry:
                self._to_retry.remove(member.id)
                self.reruns += 1
        if batch.trigger == "hedge":
            self.reruns += len(batch.members)
        earned = self.limits.retry_reserve + self.limits.retry_ratio * len(self.requests)
        assert self.reruns <= earned, "the retry budget is overdrawn"

    def _rule_hedge(self, batch: Batch, node_id: str) -> None:
        """A hedge runs what is at one other node, and nothing that a node may have died of."""
        ids = {member.id for member in batch.members}
        assert not batch.isolated
        twins = [
            (other, elsewhere)
            for other, elsewhere in self.flights.values()
            if ids & {member.id for member in other.members}
        ]
        ((first, elsewhere),) = twins
        assert first.trigger != "hedge"
        assert elsewhere != node_id
        assert ids == {member.id for member in first.members} & self.unanswered

    def _rule_answer(self, effect: ResolveRequest) -> None:
        request_id, receipt = effect.request_id, effect.receipt
        assert request_id in self.unanswered, f"a second reply for request {request_id}"
        self.unanswered.remove(request_id)
        answers = [
            (completed, index)
            for completed in self._answers.values()
            if completed.batch_id == self._winner[request_id]
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
        assert not self._given_up, "a node that hangs is not replaced"
        for seat in self.seats.values():
            assert seat.ejected_until is None or seat.ejected_until > now, "nobody probes a node"
        assert self._left.isdisjoint(self.unanswered), "a cancelled request waits on"
        assert self._blamed.isdisjoint(self.unanswered), "a request that failed alone waits on"
        for completed in self._answers.values():
            self._conserves(completed)
        for batch_id, (batch, _) in self.flights.items():
            unwanted = batch_id in self._recalled or all(
                member.id not in self.unanswered for member in batch.members
            )
            assert unwanted == (batch_id in self._cancelled)
        waiting = self.waiting
        for request in (self.requests[id_] for id_ in self.unanswered):
            if request.deadline is not None:
                assert request.deadline > now, "an expired request lives"
                assert self._alarm <= request.deadline, "nobody will wake it to expire"
            if request.id in waiting and not self._runs[request.id]:
                assert self._in_time(request, now)
                assert suits(request, self.specs[request.model])
        self._nobody_waits_for_nothing(now, waiting)

    def _answered_by(self, member: InferenceRequest, batch_id: int) -> bool:
        return member.id in self._resolved and self._winner[member.id] == batch_id

    def _conserves(self, completed: BatchCompleted) -> None:
        members = self._settled[completed.batch_id].members
        for member in members:
            assert member.id not in self.unanswered, "a finished batch leaves a member unanswered"
        shares = [
            self._resolved[member.id].receipt.energy
            for member in members
            if self._answered_by(member, completed.batch_id)
        ]
        if completed.energy is None:
            assert all(share is None for share in shares)
            return
        known = [share for share in shares if share is not None]
        assert len(known) == len(shares)
        joules = sum(share.joules for share in known)
        if len(shares) == len(members):
            assert isclose(joules, completed.energy.joules, abs_tol=1e-12)
        else:
            assert joules <= completed.energy.joules * (1 + 1e-9) + 1e-12

    def _may_be_quicker(
        self,
        lane: Collection[InferenceRequest],
        request: InferenceRequest,
        free: Collection[Seat],
        now: float,
    ) -> bool:
        """Whether a full node may take less time than those with a free slot.

        Where a deadline is at stake every policy waits for it, and so does who is behind.
        """
        digest = self.specs[request.model].digest
        full = [seat for seat in self.seats.usable(digest, now) if seat not in free]
        waits = self.policy.patient or any(mate.deadline is not None for mate in lane)
        return waits and any(seat.flights for seat in full)

    def _cramped(self, waiting: set[int], now: float) -> dict[str, list[Seat]]:
        """By digest of a waiting request, the nodes that may be reserved for it.

        They lack the threads for it now, and have no look-ahead where it could wait.
        """
        digests = {self.specs[self.requests[id_].model].digest for id_ in waiting}
        found = {
            digest: [
                seat
                for seat in self.seats.usable(digest, now)
                if not seat.profile.lookahead and not seat.is_full and not seat.has_room(digest)
            ]
            for digest in digests
        }
        return {digest: seats for digest, seats in found.items() if seats}

    def _nobody_waits_for_nothing(self, now: float, waiting: set[int]) -> None:
        """A request waits beside a free slot only for company, or for a quicker node.

        Or the node is reserved: there is one at most for every digest that needs one.
        """
        cramped = self._cramped(waiting, now)
        for request in (self.requests[id_] for id_ in waiting):
            spec = self.specs[request.model]
            free = self._free(request, now)
            reserving = [seats for digest, seats in cramped.items() if digest != spec.digest]
            may_be_reserved = [seat for seat in free if any(seat in seats for seats in reserving)]
            if len(free) == len(may_be_reserved) <= len(reserving):
                continue
            lane = self._lane(request, waiting)
            may_be_quicker = self._may_be_quicker(lane, request, free, now)
            if request.id not in self._alone and may_be_quicker:
                assert self._alarm < inf, f"nobody will wake request {request.id}"
                continue
            curves = [seat.ready[spec.digest] for seat in free]
            until = held_until(lane, spec, curves, self.limits, self._delayed)
            assert until is not None, f"request {request.id} waits beside a free slot"
            assert now < until, f"request {request.id} waits too long beside a free slot"
            assert self._alarm <= until, f"nobody will wake request {request.id}"

    def _free(self, request: InferenceRequest, now: float) -> list[Seat]:
        """Where a request could start at once, if nobody else has the node reserved."""
        spec = self.specs[request.model]
        return [
            seat
            for seat in self._allowed(request, spec, now)
            if seat.has_room(spec.digest) and self._may_add(seat, spec)
        ]

    def _allowed(self, request: InferenceRequest, spec: ModelSpec, now: float) -> list[Seat]:
        """Where a request may run: not where it failed, unless there is nowhere else."""
        usable = self.seats.usable(spec.digest, now)
        failed_on = self._failed_on.get(request.id, [])
        others = [seat for seat in usable if seat.identity not in failed_on]
        return others or usable

    def _lane(self, request: InferenceRequest, waiting: set[int]) -> list[InferenceRequest]:
        """Those that it could ride with, itself included; alone, it waits for nobody."""
        if request.id in self._alone:
            return []
        mates = (self.requests[id_] for id_ in waiting - self._alone)
        return [
            mate
            for mate in mates
            if mate.model == request.model and shapes(mate) == shapes(request)
        ]
