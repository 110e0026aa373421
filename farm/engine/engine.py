"""The loop around the machine: events in, effects carried out, on one asyncio loop."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog

from farm.core.clock import Clock
from farm.core.errors import ErrorCode, FarmError, InternalError, ModelUnavailableError
from farm.core.ledger import IncidentKind
from farm.core.models import ModelKey
from farm.core.node_details import NodeFailure
from farm.core.observer import Observer
from farm.core.pool import WorkerPool
from farm.core.requests import Batch, BatchCompleted, BatchFailed, InferenceRequest, Receipt
from farm.core.snapshots import NodeWork
from farm.core.tensors import Tensor
from farm.core.tracing import Tracer
from farm.engine.accounting import Accounting
from farm.engine.request_log import RequestLog
from farm.engine.statistics import NodeStatistics, VersionStatistics
from farm.engine.trace import TraceRecorder
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
    NodeProbed,
    RequestArrived,
    RequestCancelled,
    TimerFired,
)
from farm.scheduling.machine import Machine

_log = structlog.get_logger()

# Events are gathered until so many turns of the loop brought none, for so long at most, and
# not at all where the one before is so long ago that another is not to be expected.
QUIET_TURNS = 10
GATHERING_S = 0.005
LONE_S = 0.001

# A probe that finds a model just unloaded tries as many.
_MODELS_PER_PROBE = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """The outputs of a request, in the model's order, and its receipt."""

    outputs: tuple[Tensor, ...]
    receipt: Receipt

    @property
    def size_bytes(self) -> int:
        """Bytes of all outputs."""
        return sum([len(tensor.raw) for tensor in self.outputs])


class Engine:
    """Owns the machine. Everything here runs on the loop it was made in.

    Events posted in one turn of the loop are handled together, so requests that arrive
    together can leave together.
    """

    def __init__(
        self,
        *,
        machine: Machine,
        pool: WorkerPool,
        clock: Clock,
        observer: Observer,
        accounting: Accounting,
        recorder: TraceRecorder | None = None,
        tracer: Tracer | None = None,
        verbose: Callable[[], bool] = lambda: False,
    ) -> None:
        """Wire the parts; `verbose` says whether every batch is to be logged."""
        self.machine = machine
        self._pool = pool
        self._clock = clock
        self._observer = observer
        self._accounting = accounting
        self._recorder = recorder
        self._tracer = tracer
        self._waiting: dict[int, tuple[InferenceRequest, asyncio.Future[Answer]]] = {}
        self.log = RequestLog(clock=clock, verbose=verbose, waits=self._waiting.__contains__)
        self._statistics: dict[ModelKey, VersionStatistics] = {}
        self._nodes: defaultdict[str, NodeStatistics] = defaultdict(NodeStatistics)
        # Whoever waits for the machine to reach a state, by the question it asks.
        self._watchers: list[tuple[Callable[[Machine], bool], asyncio.Future[None]]] = []
        self._inbox: list[Event] = []
        self._turn_due = False
        # When the inbox got its first event, how many it held a turn ago, and for how many
        # turns that has been so.
        self._gathering_since = 0.0
        self._gathered = 0
        self._quiet_turns = 0
        # When the last event came, and whether the first in the inbox came long after it.
        self._heard_at = 0.0
        self._lone = False
        # One for each batch at a node, and for each probe.
        self._tasks: set[asyncio.Task[None]] = set()
        self._alarm: asyncio.TimerHandle | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._failed = False
        # Set when the machine itself has failed: the gateway must restart.
        self.broken = asyncio.Event()

    async def submit(self, request: InferenceRequest) -> Answer:
        """Put a request to the machine and wait for its reply.

        Raises:
            FarmError: the request was refused or failed.
        """
        if self._failed:
            raise _restarting()
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[request.id] = (request, future)
        self._idle.clear()
        self.post(RequestArrived(request))
        try:
            return await future
        except asyncio.CancelledError:
            self.post(RequestCancelled(request.id))
            raise

    def post(self, event: Event) -> None:
        """Hand an event to the machine once the loop has no others for it.

        While the gateway is busy with requests that are on their way in, they are gathered
        and may leave together: fewer batches, of which each costs it more than a request.
        """
        self._inbox.append(event)
        now = self._clock.monotonic()
        if not self._turn_due:
            self._turn_due = True
            self._gathering_since, self._gathered = now, 1
            self._quiet_turns = 0
            self._lone = now - self._heard_at > LONE_S
            asyncio.get_running_loop().call_soon(self._gather)
        self._heard_at = now

    async def drained(self) -> None:
        """Wait until every accepted request has its reply."""
        await self._idle.wait()

    async def reached(self, state: Callable[[Machine], bool]) -> None:
        """Wait until the machine is in a state; asked after every turn, so it must be quick."""
        # What is in the inbox has happened already, though the machine does not know it.
        if self._failed or (not self._inbox and state(self.machine)):
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        watcher = (state, future)
        self._watchers.append(watcher)
        try:
            await future
        finally:
            self._watchers.remove(watcher)

    def statistics(self, key: ModelKey) -> VersionStatistics:
        """Return what a version has done since it was first loaded."""
        return self._statistics.get(key) or VersionStatistics()

    def work(self, node_id: str) -> NodeWork:
        """Return what a node did for this gateway."""
        return self._nodes[node_id].work()

    def failures(self, node_id: str) -> tuple[NodeFailure, ...]:
        """Return the latest batches that a node did not complete, the newest first."""
        return tuple(reversed(self._nodes[node_id].failed))

    def _counts(self, key: ModelKey) -> VersionStatistics | None:
        """Return where a version's work is counted.

        None for one that was unloaded: what comes late would bring back what is forgotten.
        """
        known = self._statistics.get(key)
        if known is None and self.machine.serves(key):
            known = self._statistics[key] = VersionStatistics()
        return known

    def forget(self, key: ModelKey) -> None:
        """Drop the statistics of a version that was unloaded."""
        self._statistics.pop(key, None)
        self._observer.version_retired(key)

    def end_all(self, error: FarmError) -> int:
        """Answer every waiting request with an error; return how many there were."""
        waiting = list(self._waiting)
        for request_id in waiting:
            self._reply(request_id, error)
        self._idle.set()
        return len(waiting)

    async def close(self) -> None:
        """Stop. Batches in flight are abandoned."""
        if self._alarm is not None:
            self._alarm.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _gather(self) -> None:
        if len(self._inbox) > self._gathered:
            self._gathered = len(self._inbox)
            self._quiet_turns = 0
        self._quiet_turns += 1
        alone = len(self._waiting) <= 1 or (self._lone and len(self._inbox) == 1)
        if alone or self._quiet_turns > QUIET_TURNS or self._has_gathered_enough():
            self._turn()
        else:
            asyncio.get_running_loop().call_soon(self._gather)

    def _has_gathered_enough(self) -> bool:
        return self._clock.monotonic() >= self._gathering_since + GATHERING_S

    def _turn(self) -> None:
        self._turn_due = False
        events, self._inbox = self._inbox, []
        if self._failed:
            return
        now = self._clock.monotonic()
        try:
            effects = self.machine.handle_all(events, now)
            for effect in effects:
                self._carry_out(effect)
        except Exception as error:
            self._break(error)
            return
        if not self._waiting:
            self._idle.set()
        for state, future in self._watchers:
            if not future.done() and state(self.machine):
                future.set_result(None)
        if self._recorder is not None:
            self._recorder.note(events, effects, now)

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case ResolveRequest(request_id, outputs, receipt):
                self._reply(request_id, Answer(outputs, receipt))
            case RejectRequest(request_id, error):
                self._reply(request_id, error)
            case DispatchBatch(batch, placement):
                self._accounting.dispatched(batch, placement.node_id)
                self.log.dispatched(batch, placement)
                outcome = self._pool.execute(batch, placement.node_id)
                self._keep(self._settle(batch, placement.node_id, outcome))
            case WakeAt(at):
                if self._alarm is not None:
                    self._alarm.cancel()
                delay = max(at - self._clock.monotonic(), 0.0)
                self._alarm = asyncio.get_running_loop().call_later(delay, self.post, TimerFired())
            case CancelBatch(batch_id, _):
                self._pool.cancel(batch_id)
            case EjectNode(node_id, until, reason):
                _log.warning(
                    "node_ejected",
                    node=node_id,
                    seconds=round(until - self._clock.monotonic(), 1),
                    reason=reason,
                )
                self._accounting.went_wrong(IncidentKind.NODE_EJECTED, node_id, reason)
                self._observer.node_ejected(node_id)
            case ProbeNode():
                self._keep(self._probe(effect))
            case ReplaceNode(node_id, incarnation, reason):
                _log.warning("node_hangs", node=node_id, reason=reason)
                self._pool.replace(node_id, incarnation, reason)
            case AppendLedger(entry):
                statistics = self._counts(entry.model)
                if statistics is not None:
                    statistics.settled(entry, unix_ns=self._clock.unix_ns())
                    self._observer.batch_settled(entry)
                self._nodes[entry.node_id].settled(entry)
                self._accounting.returned(entry)
                self.log.settled(entry)

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _reply(self, request_id: int, reply: Answer | FarmError) -> None:
        known = self._waiting.pop(request_id, None)
        if known is None:
            return
        request, future = known
        latency_s = self._clock.monotonic() - request.arrived_at
        self._count(request, reply, latency_s)
        if isinstance(reply, Answer):
            self._accounting.answered(request, latency_s, response_bytes=reply.size_bytes)
            self.log.answered(request)
            if self._tracer is not None:
                self._tracer.request_ended(request, None, reply.receipt, latency_s)
            if not future.done():
                future.set_result(reply)
        else:
            self._accounting.refused(request, reply.code, latency_s)
            self.log.refused(request, reply, latency_s)
            if self._tracer is not None:
                self._tracer.request_ended(request, reply.code, None, latency_s)
            if not future.done():
                future.set_exception(reply)

    def _count(
        self, request: InferenceRequest, reply: Answer | FarmError, latency_s: float
    ) -> None:
        model = request.model
        statistics = self._counts(model)
        if statistics is None:
            return
        if isinstance(reply, Answer):
            statistics.answered(rows=request.rows, latency_s=latency_s, receipt=reply.receipt)
            self._observer.request_finished(model, None, latency_s, reply.receipt)
        else:
            statistics.refused(latency_s=latency_s)
            self._observer.request_finished(model, reply.code, latency_s, None)

    async def _settle(
        self,
        batch: Batch,
        node_id: str,
        outcome: Coroutine[Any, Any, BatchCompleted | BatchFailed],
    ) -> None:
        began_at = self._clock.monotonic()
        try:
            settled = await outcome
        except Exception as error:
            # A defect of the pool: the slot is free again and the batch may go elsewhere.
            _log.error("pool_failed", batch=batch.id, node=node_id, exc_info=error)
            settled = BatchFailed(
                batch_id=batch.id,
                node_id=node_id,
                incarnation="",
                code=ErrorCode.INTERNAL,
                message="the gateway could not reach the node",
                retryable=True,
            )
        if isinstance(settled, BatchCompleted):
            energy, cost = self._accounting.reckon(batch, settled)
            self.post(BatchFinished(replace(settled, energy=energy, cost=cost)))
        else:
            self._note(batch, settled, began_at)
            self.log.came_back(settled)
            self.post(settled)

    def _note(self, batch: Batch, failed: BatchFailed, began_at: float) -> None:
        """Remember what went wrong at a node; one that had no room is well."""
        if failed.code is ErrorCode.NODE_BUSY:
            return
        self._nodes[failed.node_id].failed.append(
            NodeFailure(
                unix_ns=self._clock.unix_ns(),
                batch_id=batch.id,
                model=batch.model,
                code=failed.code,
                message=failed.message,
            )
        )
        if self._tracer is None:
            return
        ended_at = self._clock.monotonic()
        for member in batch.members:
            if member.id in self._waiting:
                self._tracer.attempt_failed(member, failed, began_at=began_at, ended_at=ended_at)

    async def _probe(self, probe: ProbeNode) -> None:
        ok = await self._answers(probe.node_id, probe.digests[:_MODELS_PER_PROBE] or ("",))
        self.post(NodeProbed(node_id=probe.node_id, incarnation=probe.incarnation, ok=ok))

    async def _answers(self, node_id: str, digests: Sequence[str]) -> bool:
        """Whether a node runs the first of these models that it still has."""
        for digest in digests:
            try:
                await self._pool.probe(node_id, digest)
            except ModelUnavailableError:
                continue
            except FarmError as error:
                _log.warning("probe_failed", node=node_id, reason=error.message)
                return False
            except Exception as error:
                _log.error("probe_failed", node=node_id, exc_info=error)
                return False
            return True
        return False

    def _break(self, error: Exception) -> None:
        """The machine has a defect and its state cannot be trusted: end every request."""
        self._failed = True
        self.end_all(_restarting())
        for _, future in self._watchers:
            if not future.done():
                future.set_result(None)
        self.broken.set()
        _log.critical("machine_failed", exc_info=error)


def _restarting() -> InternalError:
    return InternalError("the gateway failed and is being restarted; try again")
