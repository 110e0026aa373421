"""`WorkerPool` over Ray actors."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import structlog

from farm.cluster.calls import ActorCalls
from farm.cluster.channel import ConnectionEndedError
from farm.cluster.joined import JoinedMachines
from farm.cluster.supervisor import Heartbeats, Supervisor
from farm.core.actor_messages import (
    decode_curves,
    decode_reply,
    decode_report,
    encode_call,
    encode_record,
)
from farm.core.errors import (
    ErrorCode,
    FarmError,
    IntegrityError,
    InternalError,
    NodeBusyError,
    NodeLostError,
    UnsupportedError,
)
from farm.core.models import LatencyCurve, ModelArtifact, ModelReport
from farm.core.pool import BlobSource, NodeHeartbeat, PoolEvent
from farm.core.requests import Batch, BatchCompleted, BatchFailed
from farm.node.settings import NodeSettings

_log = structlog.get_logger()

# Transfers go in chunks of this size, so that a Pi never holds a model in memory twice, and
# that no heartbeat waits behind one for long: a link of 1 Mbit/s takes it in a second.
CHUNK_BYTES = 128 << 10

# A model whose files are smaller together goes in one call, read from memory: three calls
# and more a model would add up where a repository has hundreds of them.
WHOLE_BYTES = CHUNK_BYTES

# What the queue of node events may hold; a heartbeat is dropped when it is full.
_MAX_EVENTS = 10_000


@dataclass(frozen=True, slots=True)
class _Sent:
    """A batch at an incarnation of an actor, Ray's reference to its reply, the call's id."""

    incarnation: str
    calls: ActorCalls
    reference: Any
    call_id: str


class RayWorkerPool:
    """Nodes whose actors this process supervises. The cluster is connected already."""

    def __init__(
        self, nodes: Sequence[NodeSettings], *, heartbeats: Heartbeats | None = None
    ) -> None:
        self._events: asyncio.Queue[PoolEvent] = asyncio.Queue(_MAX_EVENTS)
        machines = JoinedMachines()
        self._supervisors = {
            settings.node_id: Supervisor(
                settings,
                machines=machines,
                heartbeats=heartbeats or Heartbeats(),
                emit=self._emit,
            )
            for settings in nodes
        }
        self._tasks: list[asyncio.Task[None]] = []
        self._sent: dict[int, _Sent] = {}
        # Actors outlive gateways, whose batches all count from 1.
        self._gateway = uuid4().hex[:8]

    @property
    def node_ids(self) -> tuple[str, ...]:
        return tuple(self._supervisors)

    def start(self) -> None:
        """Begin to start and watch the actors."""
        self._tasks = [
            asyncio.create_task(supervisor.run(), name=f"supervise {node_id}")
            for node_id, supervisor in self._supervisors.items()
        ]
        for task in self._tasks:
            task.add_done_callback(_report_end)

    async def events(self) -> AsyncIterator[PoolEvent]:
        while True:
            yield await self._events.get()

    def _emit(self, event: PoolEvent) -> None:
        if isinstance(event, NodeHeartbeat) and self._events.full():
            return
        self._events.put_nowait(event)

    def execute(
        self, batch: Batch, node_id: str
    ) -> Coroutine[Any, Any, BatchCompleted | BatchFailed]:
        supervisor = self._supervisors[node_id]
        incarnation = supervisor.incarnation
        try:
            if supervisor.calls is None:
                raise NodeLostError("its actor is gone")
            if batch.isolated and not supervisor.calls.isolates:
                # Nobody's failure: the batch is offered to another node.
                raise NodeBusyError(
                    "the node's software is older than the gateway's and runs no suspect requests;"
                    " upgrade the node"
                )
            call_id = f"{self._gateway}-{batch.id}"
            call, raws = encode_call(batch, call_id)
            reference = supervisor.calls.infer(call, raws)
            sent = _Sent(incarnation, supervisor.calls, reference, call_id)
            self._sent[batch.id] = sent
        except Exception as error:
            known = error if isinstance(error, FarmError) else _unforeseen(batch, node_id, error)
            return _at_once(_failure(batch, node_id, incarnation, known))
        return self._outcome(batch, supervisor, sent)

    async def _outcome(
        self, batch: Batch, supervisor: Supervisor, sent: _Sent
    ) -> BatchCompleted | BatchFailed:
        try:
            reply = await sent.calls.reply(sent.reference)
            return decode_reply(batch, supervisor.node_id, reply)
        except FarmError as error:
            # A call finds an actor dead sooner than a heartbeat would.
            if isinstance(error, ConnectionEndedError):
                supervisor.greet_anew(sent.incarnation, error.message)
            elif error.code is ErrorCode.NODE_LOST:
                supervisor.replace(sent.incarnation, error.message)
            return _failure(batch, supervisor.node_id, sent.incarnation, error)
        finally:
            del self._sent[batch.id]

    def cancel(self, batch_id: int) -> None:
        sent = self._sent.get(batch_id)
        if sent is not None:
            sent.calls.cancel(sent.call_id)

    async def prepare(
        self, node_id: str, artifact: ModelArtifact, blobs: BlobSource
    ) -> ModelReport:
        calls = self._calls(node_id)
        message = encode_record(artifact)
        sizes = {file.sha256: file.size_bytes for file in artifact.blobs}
        contents: dict[str, bytes] = {}
        if sum(sizes.values()) <= WHOLE_BYTES:
            # A file that was changed since it was listed may be on the node all the same.
            with contextlib.suppress(IntegrityError):
                contents = await asyncio.to_thread(_read, sizes, blobs)
        # What turns out to be damaged on the node is thrown away there, and sent once more.
        with contextlib.suppress(IntegrityError):
            return await self._load(calls, message, contents, sizes, blobs)
        return await self._load(calls, message, contents, sizes, blobs)

    async def _load(
        self,
        calls: ActorCalls,
        message: Mapping[str, Any],
        contents: Mapping[str, bytes],
        sizes: Mapping[str, int],
        blobs: BlobSource,
    ) -> ModelReport:
        if not contents:
            for digest in await calls.missing_files(message):
                await self._send(calls, digest, sizes[digest], blobs)
        return decode_report(await calls.load(message, contents))

    async def measure(self, node_id: str, digest: str, threads: int) -> tuple[LatencyCurve, ...]:
        return decode_curves(await self._calls(node_id).measure(digest, threads))

    async def probe(self, node_id: str, digest: str) -> None:
        calls = self._calls(node_id)
        try:
            await calls.probe(digest)
        except UnsupportedError:
            # Of an older node it has to be enough that it answers at all.
            await calls.vitals()

    async def set_cordon(self, node_id: str, *, cordoned: bool) -> None:
        await self._calls(node_id).set_cordon(cordoned)

    async def exercise(self, node_id: str, *, load: float, seconds: float) -> None:
        await self._calls(node_id).exercise(load, seconds)

    async def read_log(self, node_id: str, after: int) -> tuple[int, str]:
        return await self._calls(node_id).read_log(after)

    def replace(self, node_id: str, incarnation: str, reason: str) -> None:
        self._supervisors[node_id].replace(incarnation, reason)

    async def unload(self, node_id: str, digest: str) -> None:
        await self._calls(node_id).unload(digest)

    def _calls(self, node_id: str) -> ActorCalls:
        calls = self._supervisors[node_id].calls
        if calls is None:
            raise NodeLostError(f"node '{node_id}' is not up")
        return calls

    async def _send(
        self, calls: ActorCalls, sha256: str, size_bytes: int, blobs: BlobSource
    ) -> None:
        if size_bytes == 0:
            await calls.receive(sha256, 0, b"", last=True)
            return
        offset = 0
        chunks = blobs.chunks(sha256, CHUNK_BYTES)
        while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
            last = offset + len(chunk) >= size_bytes
            await calls.receive(sha256, offset, chunk, last=last)
            offset += len(chunk)

    async def close(self) -> None:
        """Stop watching. The actors live on for the next gateway."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _read(sizes: Mapping[str, int], blobs: BlobSource) -> dict[str, bytes]:
    return {sha256: b"".join(blobs.chunks(sha256, CHUNK_BYTES)) for sha256 in sizes}


def _report_end(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.critical("supervisor_ended", task=task.get_name(), exc_info=task.exception())


def _unforeseen(batch: Batch, node_id: str, error: Exception) -> FarmError:
    _log.error("submission_failed", batch=batch.id, node=node_id, exc_info=error)
    return InternalError(f"the batch could not be sent ({type(error).__name__})")


async def _at_once(outcome: BatchFailed) -> BatchFailed:
    return outcome


def _failure(batch: Batch, node_id: str, incarnation: str, error: FarmError) -> BatchFailed:
    return BatchFailed(
        batch_id=batch.id,
        node_id=node_id,
        incarnation=incarnation,
        code=error.code,
        message=error.message,
        retryable=True,
    )
