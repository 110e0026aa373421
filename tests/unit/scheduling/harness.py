"""Builders for the scheduler's vocabulary, and a driver that runs the machine in virtual time."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from referee import Referee

from farm.core.energy import EnergyReading, EnergySource
from farm.core.errors import ErrorCode
from farm.core.models import DynamicBatching, LatencyCurve, ModelKey, ModelSpec, Objective
from farm.core.nodes import NodeProfile
from farm.core.requests import Batch, BatchCompleted, BatchFailed, BatchTiming, InferenceRequest
from farm.core.tensors import Datatype, Tensor, TensorSpec
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
    NodeHeard,
    NodeJoined,
    NodeLost,
    NodeProbed,
    RequestArrived,
    TimerFired,
)
from farm.scheduling.limits import SchedulingLimits
from farm.scheduling.machine import Machine
from farm.scheduling.placement import LeastExpectedCompletion, PlacementPolicy

SCALE = ModelKey("scale", 1)
OTHER = ModelKey("other", 1)
SOLO = ModelKey("solo", 1)

Ready = Mapping[str, LatencyCurve | None]

# One row and eight rows take the same time: batches pay.
PAYING = LatencyCurve(((1, 0.1), (8, 0.1)))
# Eight rows take eight times as long: batches do not pay.
FLAT = LatencyCurve(((1, 0.1), (8, 0.8)))


def digest(key: ModelKey) -> str:
    return f"digest-{key}"


def spec(
    key: ModelKey = SCALE,
    *,
    max_batch_size: int = 8,
    digest_: str = "",
    inputs: tuple[TensorSpec, ...] = (),
    batching: DynamicBatching | None = None,
    max_instances: int = 0,
    joins: bool = True,
    objective: Objective = Objective.THROUGHPUT,
) -> ModelSpec:
    """A model of one FP32 input, whose inner shape is free; 0 rows makes it unbatched."""
    return ModelSpec(
        key=key,
        digest=digest_ or digest(key),
        inputs=inputs or (tensor_spec(),),
        outputs=(TensorSpec(name="y", datatype=Datatype.UINT64, shape=(-1, 1)),),
        max_batch_size=max_batch_size,
        batching=batching or DynamicBatching(),
        joins=joins,
        max_instances=max_instances,
        objective=objective,
    )


def tensor_spec(
    name: str = "x",
    *,
    datatype: Datatype = Datatype.FP32,
    shape: tuple[int, ...] = (-1, -1),
    model_shape: tuple[int, ...] | None = None,
    optional: bool = False,
) -> TensorSpec:
    return TensorSpec(
        name=name, datatype=datatype, shape=shape, model_shape=model_shape, optional=optional
    )


def request(
    id_: int,
    *,
    model: ModelKey = SCALE,
    rows: int = 1,
    width: int = 2,
    name: str = "x",
    arrived_at: float = 0.0,
    priority: int = 1,
    deadline: float | None = None,
    queue_deadline: float | None = None,
    client: str = "",
) -> InferenceRequest:
    """A request of `rows` rows with `width` FP32 each: 4 x rows x width bytes."""
    x = Tensor(name=name, datatype=Datatype.FP32, shape=(rows, width), raw=bytes(4 * rows * width))
    return InferenceRequest(
        id=id_,
        model=model,
        inputs=(x,),
        rows=rows,
        arrived_at=arrived_at,
        priority=priority,
        deadline=deadline,
        queue_deadline=queue_deadline,
        client=client,
    )


def profile(
    node_id: str = "a",
    *,
    incarnation: str = "1",
    slots: int = 1,
    threads_per_slot: int = 1,
    lookahead: int = 0,
) -> NodeProfile:
    return NodeProfile(
        node_id=node_id,
        incarnation=incarnation,
        slots=slots,
        threads_per_slot=threads_per_slot,
        lookahead=lookahead,
    )


def joined(
    node_id: str = "a",
    *,
    incarnation: str = "1",
    slots: int = 1,
    lookahead: int = 0,
    curve: LatencyCurve | None = None,
    models: Iterable[ModelKey] = (SCALE,),
    digests: Iterable[str] = (),
) -> NodeJoined:
    """A node that is ready for `models` and other `digests`, with the same curve for each."""
    return NodeJoined(
        profile=profile(node_id, incarnation=incarnation, slots=slots, lookahead=lookahead),
        ready={**{digest(key): curve for key in models}, **dict.fromkeys(digests, curve)},
    )


def heard(*node_ids: str, incarnation: str = "1") -> list[NodeHeard]:
    """Heartbeats."""
    return [NodeHeard(node_id=node_id, incarnation=incarnation) for node_id in node_ids]


def probed(node_id: str, *, incarnation: str = "1", ok: bool = True) -> NodeProbed:
    """The end of a probe."""
    return NodeProbed(node_id=node_id, incarnation=incarnation, ok=ok)


def arrivals(*ids: int) -> list[RequestArrived]:
    """Plain requests of one row for SCALE."""
    return [RequestArrived(request(id_)) for id_ in ids]


def outputs_of(member: InferenceRequest) -> tuple[Tensor, ...]:
    """The answer that belongs to this request and to no other."""
    raw = member.id.to_bytes(8, "little") * member.rows
    return (Tensor(name="y", datatype=Datatype.UINT64, shape=(member.rows, 1), raw=raw),)


def told(effects: Iterable[Effect]) -> list[str]:
    """Effects as short lines that tests compare."""
    return [_line(effect) for effect in effects]


def _line(effect: Effect) -> str:
    match effect:
        case DispatchBatch(batch, placement):
            ids = " ".join(str(member.id) for member in batch.members)
            return f"dispatch #{batch.id} [{ids}] to {placement.node_id}"
        case ResolveRequest(request_id):
            return f"resolve {request_id}"
        case RejectRequest(request_id, error):
            return f"reject {request_id} {error.code}"
        case WakeAt(at):
            return f"wake {at:g}"
        case CancelBatch(batch_id, node_id):
            return f"cancel #{batch_id} at {node_id}"
        case EjectNode(node_id, until):
            return f"eject {node_id} until {until:g}"
        case ProbeNode(node_id, incarnation, digests):
            return f"probe {node_id} {incarnation} {' '.join(digests)}".rstrip()
        case ReplaceNode(node_id, incarnation):
            return f"replace {node_id} {incarnation}"
        case AppendLedger(entry):
            return f"ledger #{entry.batch_id} {entry.outcome}"


@dataclass(frozen=True, slots=True)
class Step:
    """One call of the machine: what went in when, and what came out."""

    now: float
    events: tuple[Event, ...]
    effects: tuple[Effect, ...]


def calm(**limits: Any) -> SchedulingLimits:
    """Limits under which no batch is ever overdue, so that none sets an alarm."""
    return SchedulingLimits(**{"overdue_min_s": inf, "overdue_unknown_s": inf, **limits})


class Driver:
    """Feeds a machine, keeps its clock and its alarm, and has a referee judge every step.

    `history` is all that went in and came out. `sound` turns false at the first foul.
    """

    def __init__(
        self, limits: SchedulingLimits | None = None, *, policy: PlacementPolicy | None = None
    ) -> None:
        self.limits = limits or calm()
        policy = policy or LeastExpectedCompletion()
        self.machine = Machine(limits=self.limits, policy=policy)
        self.now = 0.0
        self.wake_at: float | None = None
        self.history: list[Step] = []
        self.referee = Referee(self.limits, policy)
        self.sound = True
        # Every batch ever dispatched, with the incarnation it went to: answers may be late.
        self.dispatched: dict[int, tuple[Batch, str, str]] = {}
        self._incarnations: dict[str, str] = {}
        self._models: set[ModelKey] = set()

    def send(self, *events: Event) -> list[str]:
        """Feed events that happen together now; return the effects as lines."""
        for event in events:
            if isinstance(event, NodeJoined):
                self._incarnations[event.profile.node_id] = event.profile.incarnation
            elif isinstance(event, ModelChanged) and event.spec is not None:
                self._models.add(event.key)
        self.sound = False
        effects = self.machine.handle_all(events, self.now)
        self.history.append(Step(self.now, events, tuple(effects)))
        for effect in effects:
            if isinstance(effect, WakeAt):
                self.wake_at = effect.at
            elif isinstance(effect, DispatchBatch):
                node_id = effect.placement.node_id
                self.dispatched[effect.batch.id] = (
                    effect.batch,
                    node_id,
                    self._incarnations[node_id],
                )
        self.referee.judge(self.now, events, effects)
        self.sound = True
        return told(effects)

    def advance_to(self, at: float) -> list[str]:
        """Let time pass and fire the alarm whenever it is due; return all effects as lines."""
        lines: list[str] = []
        while self.wake_at is not None and self.wake_at <= at:
            self.now = max(self.wake_at, self.now)
            self.wake_at = None
            lines += self.send(TimerFired())
        self.now = max(at, self.now)
        return lines

    def finish(self, batch_id: int, *, joules: float | None = None) -> list[str]:
        """A node answers a batch with every member's own outputs."""
        return self.send(self.finished(batch_id, joules=joules))

    def fail(
        self,
        batch_id: int,
        code: ErrorCode = ErrorCode.UNREACHABLE,
        *,
        retryable: bool = True,
    ) -> list[str]:
        """A batch comes back without an answer."""
        return self.send(self.failed(batch_id, code, retryable=retryable))

    def finished(self, batch_id: int, *, joules: float | None = None) -> BatchFinished:
        batch, node_id, incarnation = self.dispatched[batch_id]
        energy = None
        if joules is not None:
            energy = EnergyReading(
                joules=joules,
                low=joules * 0.9,
                high=joules * 1.1,
                source=EnergySource.MODELLED,
                window_s=0.1,
            )
        return BatchFinished(
            BatchCompleted(
                batch_id=batch_id,
                node_id=node_id,
                incarnation=incarnation,
                outputs=tuple(outputs_of(member) for member in batch.members),
                timing=self._timing(batch_id),
                energy=energy,
            )
        )

    def run_s(self, batch_id: int) -> float:
        """What the node's curve says of a batch, or 10 ms without one."""
        batch, node_id, _ = self.dispatched[batch_id]
        seat = self.referee.seats.get(node_id)
        curve = seat.ready.get(batch.digest) if seat is not None else None
        return curve.seconds(max(batch.rows, 1)) if curve else 0.01

    def _timing(self, batch_id: int) -> BatchTiming:
        tenth = round(1e8 * self.run_s(batch_id))
        return BatchTiming(input_ns=tenth, infer_ns=8 * tenth, output_ns=tenth)

    def failed(self, batch_id: int, code: ErrorCode, *, retryable: bool) -> BatchFailed:
        _, node_id, incarnation = self.dispatched[batch_id]
        return BatchFailed(
            batch_id=batch_id,
            node_id=node_id,
            incarnation=incarnation,
            code=code,
            message="it did not work",
            retryable=retryable,
        )

    def last(self) -> tuple[Effect, ...]:
        """The effects of the last call, in full."""
        return self.history[-1].effects

    def resolved(self) -> dict[int, ResolveRequest]:
        """Every answer so far, by request."""
        effects = (effect for step in self.history for effect in step.effects)
        return {e.request_id: e for e in effects if isinstance(e, ResolveRequest)}

    def rejected(self) -> dict[int, RejectRequest]:
        """Every refusal so far, by request."""
        effects = (effect for step in self.history for effect in step.effects)
        return {e.request_id: e for e in effects if isinstance(e, RejectRequest)}

    def wind_down(self) -> None:
        """Lose every node and unload every model: whatever was accepted ends here."""
        self.send(*(NodeLost(node_id=node_id, reason="end") for node_id in self._incarnations))
        self.send(*(ModelChanged(key, None) for key in sorted(self._models)))

    def check(self) -> None:
        """Compare the machine's own counts with what its history says."""
        referee = self.referee
        assert self.machine.accepted == len(referee.unanswered)
        assert self.machine.inflight == len(referee.flights)
        waiting = referee.waiting
        for key in self._models:
            of_model = sum(referee.requests[id_].model == key for id_ in waiting)
            assert self.machine.queued(key) == of_model
        flying = [(batch.model, batch.digest) for batch, _ in referee.flights.values()]
        for pair in {(batch.model, batch.digest) for batch, _, _ in self.dispatched.values()}:
            assert self.machine.inflight_of(*pair) == flying.count(pair)
        assert repr(self.machine) == (
            f"<Machine {len(referee.unanswered)} requests ({len(waiting)} queued),"
            f" {len(referee.flights)} batches, {len(referee.seats)} nodes>"
        )

    def check_nothing_left(self) -> None:
        """Every request that ever arrived has had its one reply."""
        self.check()
        assert not self.referee.unanswered
        assert not self.referee.flights
        assert set(self.referee.requests) == self.resolved().keys() ^ self.rejected().keys()


MakeDriver = Callable[..., Driver]
