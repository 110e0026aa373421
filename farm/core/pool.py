"""The seam between the engine and whatever runs batches: Ray, or a fake in tests."""

from collections.abc import AsyncIterator, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from farm.core.models import LatencyCurve, ModelArtifact, ModelReport
from farm.core.nodes import NodeProfile, NodeVitals
from farm.core.requests import Batch, BatchCompleted, BatchFailed


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeUp:
    """An actor answered for the first time in this incarnation. It holds no models yet.

    `cordoned` is what the node remembers of its operator's last word.
    """

    profile: NodeProfile
    cordoned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeDown:
    """An actor died or stopped answering. Its batches in flight may never come back."""

    node_id: str
    incarnation: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeHeartbeat:
    """An actor answered its heartbeat."""

    node_id: str
    vitals: NodeVitals


PoolEvent = NodeUp | NodeDown | NodeHeartbeat


class BlobSource(Protocol):
    """Where the bytes behind a digest are read, chunk by chunk."""

    def chunks(self, sha256: str, chunk_bytes: int) -> Iterator[bytes]:
        """Yield the bytes of a file in order.

        Raises:
            IntegrityError: the file is gone or no longer has this digest.
        """
        ...


class WorkerPool(Protocol):
    """Nodes that can be given models and batches."""

    @property
    def node_ids(self) -> tuple[str, ...]:
        """The nodes this pool was told to keep, whether they are up or not."""
        ...

    def events(self) -> AsyncIterator[PoolEvent]:
        """Yield what happens to nodes until the pool is closed. One consumer."""
        ...

    def execute(
        self, batch: Batch, node_id: str
    ) -> Coroutine[Any, Any, BatchCompleted | BatchFailed]:
        """Send a batch to a node at once; the coroutine waits for the outcome.

        Neither raises but for cancellation.
        """
        ...

    def cancel(self, batch_id: int) -> None:
        """Say that nobody wants a batch any more. `execute` still returns its outcome."""
        ...

    async def prepare(
        self, node_id: str, artifact: ModelArtifact, blobs: BlobSource
    ) -> ModelReport:
        """Bring a model's files to a node, qualify it there and make it ready to run.

        Raises:
            ModelUnavailableError: the model itself is at fault.
            NodeLostError: the node went away meanwhile.
        """
        ...

    async def measure(self, node_id: str, digest: str, threads: int) -> tuple[LatencyCurve, ...]:
        """Return the curve of a model that a node holds, with so many threads a batch.

        0 is the node's default. A node of the protocol before may answer for other splits,
        or for several. None at all where sample rows do not run on the model.

        Raises:
            FarmError: it could not be measured; `NodeLostError` if the node went away.
        """
        ...

    async def probe(self, node_id: str, digest: str) -> None:
        """Run a sample row of a model at a node, in a slot as any batch.

        Without a digest only the slot is waited for.

        Raises:
            FarmError: it did not work; `NodeLostError` if the node went away.
        """
        ...

    async def set_cordon(self, node_id: str, *, cordoned: bool) -> None:
        """Make a node remember, over restarts, whether it takes new batches.

        Raises:
            FarmError: it could not keep it; `NodeLostError` if the node went away.
        """
        ...

    async def exercise(self, node_id: str, *, load: float, seconds: float) -> None:
        """Keep a node from new batches, and all cores of its host at a load, for so long.

        The node says meanwhile that it is cordoned. What it was asked before is over then;
        `seconds` of 0 ask for nothing more.

        Raises:
            FarmError: it could not do so; `NodeLostError` if the node went away.
        """
        ...

    async def read_log(self, node_id: str, after: int) -> tuple[int, str]:
        """Return what a node's process wrote since a position, and the new position.

        Raises:
            UnsupportedError: the node's software is older, and cannot tell.
            NodeLostError: the node is not up.
        """
        ...

    def replace(self, node_id: str, incarnation: str, reason: str) -> None:
        """End an actor by force unless it is a newer one; another is started."""
        ...

    async def unload(self, node_id: str, digest: str) -> None:
        """Make a node forget a model. Batches of it that run now end their run.

        Raises:
            NodeLostError: the node went away, and the model with it.
        """
        ...

    async def close(self) -> None:
        """Stop watching and release what the pool started."""
        ...
