"""One simulation: a scheduler in virtual time over simulated nodes, under a workload."""

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from math import inf
from typing import Any, Protocol

from farm.core.errors import ErrorCode, InternalError
from farm.core.models import ModelKey
from farm.core.requests import InferenceRequest, LedgerEntry, Receipt
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
from farm.scheduling.events import Event, ModelChanged, RequestArrived, TimerFired
from farm.sim.energy import SimulatedEnergy
from farm.sim.faults import Faults
from farm.sim.nodes import SimulatedNode
from farm.sim.pool import SimulatedPool
from farm.sim.report import Report
from farm.sim.schedulers import Scheduler, make_scheduler
from farm.sim.setup import Arrival, Setup
from farm.sim.tally import Tally
from farm.sim.timeline import Timeline

# A caller who was refused without a time to wait comes again after this.
_PATIENCE_S = 0.25

# New objects between two looks for cyclic garbage; Python's own 700 cost a tenth of the time.
_COLLECT_EVERY = 100_000


def simulate(setup: Setup, scheduler: str) -> Report:
    """Run a setup under a scheduler of that name; the same input gives the same report.

    Raises:
        InternalError: the scheduler broke a promise, such as answering a request twice.
    """
    made = make_scheduler(scheduler, limits=setup.limits, seed=setup.seed)
    with _seldom_collected():
        return Simulation(setup, made).run(scheduler)


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """Look for cyclic garbage less often: a simulation makes millions of objects and no cycles."""
    before = gc.get_threshold()
    gc.set_threshold(_COLLECT_EVERY, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


class Observer(Protocol):
    """Is told what becomes of requests and batches, as `farm.core.observer` has it."""

    def request_finished(
        self, model: ModelKey, code: ErrorCode | None, latency_s: float, receipt: Receipt | None
    ) -> None: ...

    def batch_settled(self, entry: LedgerEntry) -> None: ...


class Simulation:
    """Does for the scheduler in virtual time what the engine does in real time.

    It is run to its end at once, or begun and advanced as far as one wants to see it.
    """

    def __init__(
        self, setup: Setup, scheduler: Scheduler, *, observer: Observer | None = None
    ) -> None:
        self._setup = setup
        self._scheduler = scheduler
        self._observer = observer
        self._timeline = Timeline()
        self._inbox: list[Event] = []
        self._pool = SimulatedPool(setup, timeline=self._timeline, post=self._inbox_put)
        self._workload = setup.workload.begin(setup.seed)
        self._tally = Tally(warmup_s=setup.warmup_s)
        modelled = all(plan.idle_w is not None for plan in setup.nodes)
        self._energy = SimulatedEnergy(self._pool.nodes) if modelled else None
        # Requests that wait for their reply.
        self._open: dict[int, InferenceRequest] = {}
        self._requests = 0
        self._to_come = 0
        self._last_arrival = 0.0
        self._alarm = 0
        self._do: dict[type[Any], Callable[[Any], None]] = {
            DispatchBatch: self._dispatch,
            ResolveRequest: self._resolve,
            RejectRequest: self._reject,
            WakeAt: self._wake_at,
            CancelBatch: lambda e: self._pool.cancel(e.batch_id, e.node_id),
            EjectNode: lambda e: self._tally.ejected(e.node_id),
            ProbeNode: self._pool.probe,
            ReplaceNode: self._replace,
            AppendLedger: self._settle,
        }

    @property
    def nodes(self) -> Mapping[str, SimulatedNode]:
        """The nodes as they are now."""
        return self._pool.nodes

    def run(self, policy: str) -> Report:
        """Run to the end and report under a policy's name."""
        self.begin()
        self.advance(inf)
        return self._tally.report(
            self._setup,
            policy=policy,
            ended_at=self._timeline.now,
            lost=len(self._open),
            nodes=self._pool.nodes,
            energy=self._energy.report(self._timeline.now) if self._energy is not None else None,
        )

    def begin(self) -> None:
        """Plan what comes by itself: nodes, faults, the first requests."""
        for spec in self._setup.specs:
            self._inbox_put(ModelChanged(spec.key, spec))
        self._pool.start()
        Faults(self._setup.faults, pool=self._pool, timeline=self._timeline)
        for at, event in self._setup.told:
            self._timeline.at(at, self._inbox_put, event)
        for arrival in self._workload.first():
            self._plan(arrival)

    def advance(self, until: float) -> bool:
        """Let all happen that does up to a moment; return whether there is more to come."""
        timeline, settle_s = self._timeline, self._setup.settle_s
        while timeline.next_at <= until and timeline.step():
            if self._inbox:
                self._turn()
            if not self._to_come and (
                not self._open or timeline.now > self._last_arrival + settle_s
            ):
                return False
        return timeline.next_at < inf

    def _inbox_put(self, event: Event) -> None:
        """Keep an event until everything of this instant has happened."""
        self._inbox.append(event)

    def _turn(self) -> None:
        events = self._inbox[:]
        self._inbox.clear()
        effects: list[Effect] = self._scheduler.handle_all(events, self._timeline.now)
        for effect in effects:
            self._do[type(effect)](effect)

    # -- requests ---------------------------------------------------------------------

    def _plan(self, arrival: Arrival) -> None:
        self._to_come += 1
        self._timeline.at(max(arrival.at, self._timeline.now), self._arrive, arrival)

    def _arrive(self, arrival: Arrival) -> None:
        now, plan = self._timeline.now, arrival.request
        self._to_come -= 1
        self._requests += 1
        self._last_arrival = now
        request = InferenceRequest(
            id=self._requests,
            model=plan.model,
            inputs=plan.inputs,
            rows=plan.rows,
            arrived_at=now,
            priority=plan.priority,
            deadline=None if plan.deadline_s is None else now + plan.deadline_s,
            queue_deadline=None if plan.queue_timeout_s is None else now + plan.queue_timeout_s,
            client=plan.client,
        )
        self._open[request.id] = request
        self._tally.arrived(now)
        self._inbox.append(RequestArrived(request))
        following = self._workload.after_arrival()
        if following is not None:
            self._plan(following)

    def _resolve(self, effect: ResolveRequest) -> None:
        request, now = self._close(effect.request_id), self._timeline.now
        if request.deadline is not None and now > request.deadline:
            self._tally.failed(ErrorCode.DEADLINE_EXCEEDED)
            self._tell(request, ErrorCode.DEADLINE_EXCEEDED)
        else:
            self._tally.answered(request, effect.receipt, now)
            self._tell(request, None, effect.receipt)
        self._follow_up(now, 0.0)

    def _reject(self, effect: RejectRequest) -> None:
        request, now = self._close(effect.request_id), self._timeline.now
        error = effect.error
        # What is refused in the turn in which it arrived was never accepted.
        if request.arrived_at == now:
            self._tally.refused(error.code)
        else:
            self._tally.failed(error.code)
        self._tell(request, error.code)
        self._follow_up(now, error.retry_after_s or _PATIENCE_S)

    def _tell(
        self, request: InferenceRequest, code: ErrorCode | None, receipt: Receipt | None = None
    ) -> None:
        if self._observer is not None:
            latency_s = self._timeline.now - request.arrived_at
            self._observer.request_finished(request.model, code, latency_s, receipt)

    def _close(self, request_id: int) -> InferenceRequest:
        request = self._open.pop(request_id, None)
        if request is None:
            raise InternalError(
                f"request {request_id} was answered twice: a defect of the scheduler; keep the"
                " scenario and its seed and report it"
            )
        return request

    def _follow_up(self, now: float, retry_after_s: float) -> None:
        following = self._workload.after_reply(now, retry_after_s)
        if following is not None:
            self._plan(following)

    # -- everything else --------------------------------------------------------------

    def _dispatch(self, effect: DispatchBatch) -> None:
        batch, node_id = effect.batch, effect.placement.node_id
        self._tally.dispatched(batch)
        if self._energy is not None:
            self._energy.dispatched(batch, node_id, self._timeline.now)
        self._pool.execute(batch, node_id)

    def _settle(self, effect: AppendLedger) -> None:
        self._tally.settled(effect.entry)
        if self._observer is not None:
            self._observer.batch_settled(effect.entry)
        if self._energy is not None:
            self._energy.returned(effect.entry, self._timeline.now)

    def _replace(self, effect: ReplaceNode) -> None:
        self._tally.replaced(effect.node_id)
        self._pool.replace(effect.node_id, effect.incarnation, effect.reason)

    def _wake_at(self, effect: WakeAt) -> None:
        self._alarm += 1
        self._timeline.at(max(effect.at, self._timeline.now), self._ring, self._alarm)

    def _ring(self, alarm: int) -> None:
        if alarm == self._alarm:
            self._inbox.append(TimerFired())
