"""`WorkerPool` over Ray actors."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from farm.cluster.calls import ActorCalls
from farm.cluster.supervisor import Heartbeats, Supervisor
from farm.core.actor_messages import decode_reply, decode_report, encode_call, encode_record
from farm.core.errors import ErrorCode, FarmError, NodeLostError
from farm.core.models import ModelArtifact, ModelReport
from farm.core.pool import BlobSource, NodeHeartbeat, PoolEvent
from farm.core.requests import Batch, BatchCompleted, BatchFailed
from farm.node.settings import NodeSettings

# Transfers go in chunks of this size, so that a Pi never holds a model in memory twice.
CHUNK_BYTES = 1 << 20

# What the queue of node events may hold; a heartbeat is dropped when it is full.
_MAX_EVENTS = 10_000


class RayWorkerPool:
    """Nodes whose actors this process supervises. The cluster is connected already."""

    def __init__(
        self, nodes: Sequence[NodeSettings], *, heartbeats: Heartbeats | None = None
    ) -> None:
        self._events: asyncio.Queue[PoolEvent] = asyncio.Queue(_MAX_EVENTS)
        self._supervisors = {
            settings.node_id: Supervisor(
                settings, heartbeats=heartbeats or Heartbeats(), emit=self._emit
            )
            for settings in nodes
        }
        self._tasks: list[asyncio.Task[None]] = []
        # References of batches in flight, so that they can be cancelled.
        self._references: dict[int, tuple[ActorCalls, Any]] = {}

    @property
    def node_ids(self) -> tuple[str, ...]:
        return tuple(self._supervisors)

    def start(self) -> None:
        """Begin to start and watch the actors."""
        self._tasks = [
            asyncio.create_task(supervisor.run(), name=f"supervise {node_id}")
            for node_id, supervisor in self._supervisors.items()
        ]

    async def events(self) -> AsyncIterator[PoolEvent]:
        while True:
            yield await self._events.get()

    def _emit(self, event: PoolEvent) -> None:
        if isinstance(event, NodeHeartbeat) and self._events.full():
            return
        self._events.put_nowait(event)

    async def execute(self, batch: Batch, node_id: str) -> BatchCompleted | BatchFailed:
        supervisor = self._supervisors[node_id]
        calls, incarnation = supervisor.calls, supervisor.incarnation
        try:
            if calls is None:
                raise NodeLostError("its actor is gone")
            head, raws = encode_call(batch)
            reference = calls.infer(head, raws)
            self._references[batch.id] = (calls, reference)
            return decode_reply(batch, node_id, await calls.reply(reference))
        except FarmError as error:
            if error.code is ErrorCode.NODE_LOST and calls is supervisor.calls:
                supervisor.report_death()
            return BatchFailed(
                batch_id=batch.id,
                node_id=node_id,
                incarnation=incarnation,
                code=error.code,
                message=error.message,
                retryable=True,
            )
        finally:
            self._references.pop(batch.id, None)

    def cancel(self, batch_id: int) -> None:
        known = self._references.get(batch_id)
        if known is not None:
            calls, reference = known
            calls.cancel(reference)

    async def prepare(
        self, node_id: str, artifact: ModelArtifact, blobs: BlobSource
    ) -> ModelReport:
        calls = self._supervisors[node_id].calls
        if calls is None:
            raise NodeLostError(f"node '{node_id}' is not up")
        files = {file.sha256: file for file in (*artifact.files, *artifact.goldens)}
        for digest in await calls.missing_files(tuple(files)):
            await self._send(calls, digest, files[digest].size_bytes, blobs)
        return decode_report(await calls.load(encode_record(artifact)))

    async def _send(
        self, calls: ActorCalls, sha256: str, size_bytes: int, blobs: BlobSource
    ) -> None:
        offset = 0
        for chunk in blobs.chunks(sha256, CHUNK_BYTES):
            last = offset + len(chunk) >= size_bytes
            await calls.receive(sha256, offset, chunk, last=last)
            offset += len(chunk)

    async def close(self) -> None:
        """Stop watching. The actors live on for the next gateway."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
