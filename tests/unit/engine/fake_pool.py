"""A `WorkerPool` without machines: tests decide what every node does with every batch."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from farm.core.errors import ErrorCode, NodeLostError
from farm.core.models import LatencyCurve, ModelArtifact, ModelReport
from farm.core.nodes import NodeProfile, NodeVitals
from farm.core.pool import BlobSource, NodeDown, NodeHeartbeat, NodeUp, PoolEvent
from farm.core.requests import Batch, BatchCompleted, BatchFailed, BatchTiming
from farm.core.tensors import Datatype, Tensor, TensorSpec

REPORT = ModelReport(
    inputs=(TensorSpec(name="x", datatype=Datatype.UINT8, shape=(-1, 2)),),
    outputs=(
        TensorSpec(name="y", datatype=Datatype.UINT8, shape=(-1, 2)),
        TensorSpec(name="rows", datatype=Datatype.UINT8, shape=(-1,)),
    ),
    max_batch_size=8,
    joins=True,
    batching_reason="tried",
    goldens_checked=0,
)


def answer(batch: Batch, node_id: str, incarnation: str) -> BatchCompleted:
    """Echo each member's own bytes as `y`; `rows` holds the size of the batch."""
    return BatchCompleted(
        batch_id=batch.id,
        node_id=node_id,
        incarnation=incarnation,
        outputs=tuple(
            (
                Tensor(
                    name="y",
                    datatype=Datatype.UINT8,
                    shape=member.inputs[0].shape,
                    raw=member.inputs[0].raw,
                ),
                Tensor(
                    name="rows",
                    datatype=Datatype.UINT8,
                    shape=(member.rows,),
                    raw=bytes([batch.rows]) * member.rows,
                ),
            )
            for member in batch.members
        ),
        timing=BatchTiming(input_ns=1_000, infer_ns=2_000, output_ns=3_000),
    )


@dataclass(slots=True)
class Flight:
    """A batch at a fake node, until the test or the node's `auto` settles it."""

    batch: Batch
    node_id: str
    incarnation: str
    outcome: "asyncio.Future[BatchCompleted | BatchFailed]"

    def finish(self) -> None:
        self.outcome.set_result(answer(self.batch, self.node_id, self.incarnation))

    def fail(self, code: ErrorCode, message: str = "no", *, retryable: bool = True) -> None:
        self.outcome.set_result(
            BatchFailed(
                batch_id=self.batch.id,
                node_id=self.node_id,
                incarnation=self.incarnation,
                code=code,
                message=message,
                retryable=retryable,
            )
        )


@dataclass(slots=True)
class FakeNode:
    """One node. While `auto` is set it answers at once; else its flights wait."""

    node_id: str
    starts: int = 0
    up: bool = False
    auto: bool = True
    slots: int = 1
    # Its machine, where that is not its own.
    host: str = ""
    # Nodes of one board share their curves; a node without one is like no other.
    board: str = ""
    splits: tuple[int, ...] = ()
    prepared: list[str] = field(default_factory=list)
    # Digests that were prepared and not unloaded since.
    held: set[str] = field(default_factory=set)
    curves: tuple[LatencyCurve, ...] = ()
    # Digests whose first split was measured, and every split that was.
    measured: list[str] = field(default_factory=list)
    measurements: list[tuple[str, int]] = field(default_factory=list)
    # Raised in the place of curves.
    measure_error: Exception | None = None
    # Cleared, it holds every measurement until it is set.
    may_measure: asyncio.Event = field(default_factory=asyncio.Event)
    # Set, the node's actor is gone although nobody has said so yet.
    dead: bool = False
    # What its disk remembers of its operator; every incarnation finds it there.
    cordoned: bool = False
    # What a probe of a digest does in the place of answering: raises this.
    probe_errors: dict[str, Exception] = field(default_factory=dict)
    probed: list[str] = field(default_factory=list)
    # Every load that it was asked to take, and for how long.
    exercises: list[tuple[float, float]] = field(default_factory=list)
    # Operations on models that run now, and the most that ever did together.
    busy: int = 0
    most_busy: int = 0
    # What preparing a version does, by its key or its name: a report, or an error that is raised.
    reports: dict[str, ModelReport | Exception] = field(default_factory=dict)
    # Cleared, it holds every preparation until it is set.
    may_prepare: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def incarnation(self) -> str:
        return f"{self.node_id}-{self.starts}"

    @contextmanager
    def operation(self) -> Iterator[None]:
        self.busy += 1
        self.most_busy = max(self.most_busy, self.busy)
        try:
            yield
        finally:
            self.busy -= 1

    @property
    def profile(self) -> NodeProfile:
        return NodeProfile(
            node_id=self.node_id,
            incarnation=self.incarnation,
            slots=self.slots,
            lookahead=0,
            host=self.host or self.node_id,
            board=self.board,
            splits=self.splits,
        )


class FakePool:
    """The pool of `FakeNode`s. `flights` holds every batch that was ever executed."""

    def __init__(self, node_ids: Sequence[str]) -> None:
        self.nodes = {node_id: FakeNode(node_id=node_id) for node_id in node_ids}
        for node in self.nodes.values():
            node.may_prepare.set()
            node.may_measure.set()
        self.flights: list[Flight] = []
        self.cancelled: list[int] = []
        # (node, incarnation, reason) of every actor that was given up.
        self.replaced: list[tuple[str, str, str]] = []
        # Called with every flight before its node sees it.
        self.on_execute: Callable[[Flight], None] | None = None
        self._events: asyncio.Queue[PoolEvent] = asyncio.Queue()

    # -- what tests do --------------------------------------------------------------------

    def start(self, node_id: str) -> None:
        """Start a node's next incarnation, which holds no models yet."""
        node = self.nodes[node_id]
        node.starts += 1
        node.up, node.dead = True, False
        node.prepared, node.held = [], set()
        self._events.put_nowait(NodeUp(profile=node.profile, cordoned=node.cordoned))

    def kill(self, node_id: str, reason: str = "its actor died") -> None:
        """End a node. Its batches never come back, as with a machine that lost its power."""
        node = self.nodes[node_id]
        node.up = False
        self._events.put_nowait(
            NodeDown(node_id=node_id, incarnation=node.incarnation, reason=reason)
        )

    def beat(self, node_id: str, vitals: NodeVitals) -> None:
        self._events.put_nowait(NodeHeartbeat(node_id=node_id, vitals=vitals))

    def open_flights(self, node_id: str = "") -> list[Flight]:
        return [
            flight
            for flight in self.flights
            if not flight.outcome.done() and node_id in {"", flight.node_id}
        ]

    # -- WorkerPool -----------------------------------------------------------------------

    @property
    def node_ids(self) -> tuple[str, ...]:
        return tuple(self.nodes)

    async def events(self) -> AsyncIterator[PoolEvent]:
        while True:
            yield await self._events.get()

    async def execute(self, batch: Batch, node_id: str) -> BatchCompleted | BatchFailed:
        node = self.nodes[node_id]
        future: asyncio.Future[BatchCompleted | BatchFailed] = (
            asyncio.get_running_loop().create_future()
        )
        flight = Flight(batch, node_id, node.incarnation, future)
        self.flights.append(flight)
        if self.on_execute is not None:
            self.on_execute(flight)
        if node.auto and not flight.outcome.done():
            flight.finish()
        return await flight.outcome

    def cancel(self, batch_id: int) -> None:
        self.cancelled.append(batch_id)

    async def prepare(
        self, node_id: str, artifact: ModelArtifact, blobs: BlobSource
    ) -> ModelReport:
        node = self._alive(node_id)
        with node.operation():
            await node.may_prepare.wait()
            await asyncio.sleep(0)
        for file in artifact.files:
            for _ in blobs.chunks(file.sha256, 1024):
                pass
        outcome = node.reports.get(str(artifact.key)) or node.reports.get(artifact.key.name, REPORT)
        if isinstance(outcome, Exception):
            raise outcome
        node.prepared.append(str(artifact.key))
        node.held.add(artifact.digest)
        return outcome

    async def measure(self, node_id: str, digest: str, threads: int) -> tuple[LatencyCurve, ...]:
        node = self._alive(node_id)
        if threads in (*node.splits, 0)[:1]:
            node.measured.append(digest)
        node.measurements.append((digest, threads))
        curves = tuple(c for c in node.curves if c.threads == threads or not node.splits)
        await node.may_measure.wait()
        if node.measure_error is not None:
            raise node.measure_error
        return curves

    async def probe(self, node_id: str, digest: str) -> None:
        node = self._alive(node_id)
        node.probed.append(digest)
        if digest in node.probe_errors:
            raise node.probe_errors[digest]

    async def set_cordon(self, node_id: str, *, cordoned: bool) -> None:
        self._alive(node_id).cordoned = cordoned

    async def exercise(self, node_id: str, *, load: float, seconds: float) -> None:
        node = self._alive(node_id)
        node.exercises.append((load, seconds))

    async def read_log(self, node_id: str, after: int) -> tuple[int, str]:
        self._alive(node_id)
        return after, ""

    def replace(self, node_id: str, incarnation: str, reason: str) -> None:
        self.replaced.append((node_id, incarnation, reason))

    async def unload(self, node_id: str, digest: str) -> None:
        node = self._alive(node_id)
        with node.operation():
            await asyncio.sleep(0)
        node.held.discard(digest)

    def _alive(self, node_id: str) -> FakeNode:
        node = self.nodes[node_id]
        if not node.up or node.dead:
            raise NodeLostError(f"node '{node_id}' is not up")
        return node

    async def close(self) -> None:
        for flight in self.open_flights():
            flight.outcome.cancel()
