"""Nodes as they come and go: each is given the models before it is given traffic."""

import asyncio
from dataclasses import dataclass, field

import structlog

from farm.core.clock import Clock
from farm.core.errors import FarmError, IntegrityError, ModelUnavailableError, NodeLostError
from farm.core.models import LatencyCurve, ModelArtifact
from farm.core.nodes import NodeProfile, NodeState, NodeVitals
from farm.core.pool import BlobSource, NodeDown, NodeHeartbeat, NodeUp, WorkerPool
from farm.engine.catalog import Catalog
from farm.engine.engine import Engine
from farm.scheduling.events import ModelChanged, NodeJoined, NodeLost

_log = structlog.get_logger()

# A start gives up when every node went down this often.
_HOPELESS_LOSSES = 3


@dataclass(slots=True)
class Member:
    """A node as the gateway knows it.

    `ready` holds the digests it may run; `losses` counts how often it went down.
    """

    node_id: str
    state: NodeState = NodeState.JOINING
    reason: str = "waiting for its actor"
    profile: NodeProfile | None = None
    vitals: NodeVitals | None = None
    heard_at: float | None = None
    losses: int = 0
    ready: dict[str, LatencyCurve | None] = field(default_factory=dict)


class Fleet:
    """Consumes the pool's events; reconciles each new incarnation, then lets it join."""

    def __init__(
        self, *, pool: WorkerPool, engine: Engine, catalog: Catalog, blobs: BlobSource, clock: Clock
    ) -> None:
        self._pool = pool
        self._engine = engine
        self._catalog = catalog
        self._blobs = blobs
        self._clock = clock
        self.members = {node_id: Member(node_id=node_id) for node_id in pool.node_ids}
        self._reconciling: dict[str, asyncio.Task[None]] = {}
        self._settled = asyncio.Condition()

    async def run(self) -> None:
        """Follow the nodes until cancelled."""
        try:
            async for event in self._pool.events():
                match event:
                    case NodeUp(profile=profile):
                        self._greet(profile)
                    case NodeDown(node_id=node_id, reason=reason):
                        await self._bury(node_id, reason)
                    case NodeHeartbeat(node_id=node_id, vitals=vitals):
                        member = self.members[node_id]
                        member.vitals, member.heard_at = vitals, self._clock.monotonic()
        finally:
            for task in self._reconciling.values():
                task.cancel()
            await asyncio.gather(*self._reconciling.values(), return_exceptions=True)

    async def settled(self) -> None:
        """Wait until some node is ready and none is on its way in, or all seem hopeless."""
        async with self._settled:
            await self._settled.wait_for(self._has_settled)

    def _has_settled(self) -> bool:
        members = self.members.values()
        if all(member.losses >= _HOPELESS_LOSSES for member in members):
            return True
        return self.any_ready() and all(m.state is not NodeState.JOINING for m in members)

    def ready_nodes(self, digest: str) -> tuple[str, ...]:
        """Return the nodes that serve a model now."""
        return tuple(
            member.node_id
            for member in self.members.values()
            if member.state is NodeState.READY and digest in member.ready
        )

    def serves(self, digest: str) -> bool:
        """Whether any node serves a model now."""
        return any(
            member.state is NodeState.READY and digest in member.ready
            for member in self.members.values()
        )

    def any_ready(self) -> bool:
        """Whether any node takes batches now."""
        return any(member.state is NodeState.READY for member in self.members.values())

    def _greet(self, profile: NodeProfile) -> None:
        member = self.members[profile.node_id]
        member.state, member.reason = NodeState.JOINING, "receiving models"
        member.profile, member.ready = profile, {}
        member.heard_at = self._clock.monotonic()
        self._stop_reconciling(profile.node_id)
        self._reconciling[profile.node_id] = asyncio.create_task(
            self._reconcile(member, profile), name=f"reconcile {profile.node_id}"
        )

    async def _bury(self, node_id: str, reason: str) -> None:
        self._stop_reconciling(node_id)
        self._engine.post(NodeLost(node_id=node_id, reason=reason))
        member = self.members[node_id]
        member.ready = {}
        member.losses += 1
        await self._set_state(member, NodeState.LOST, reason)

    def _stop_reconciling(self, node_id: str) -> None:
        task = self._reconciling.pop(node_id, None)
        if task is not None:
            task.cancel()

    async def _reconcile(self, member: Member, profile: NodeProfile) -> None:
        """Give a node every desired model, then let it join with those that work on it."""
        try:
            for artifact in self._catalog.desired():
                await self._prepare(member, artifact)
        except NodeLostError:
            # The supervisor sees it too and will report the node down.
            return
        self._engine.post(NodeJoined(profile=profile, ready=dict(member.ready)))
        await self._set_state(member, NodeState.READY, "")
        _log.info("node_ready", node=member.node_id, models=len(member.ready))

    async def _prepare(self, member: Member, artifact: ModelArtifact) -> None:
        try:
            report = await self._pool.prepare(member.node_id, artifact, self._blobs)
            spec = self._catalog.qualified(artifact, report)
        except NodeLostError:
            raise
        except FarmError as error:
            reason = error.message
            if not isinstance(error, ModelUnavailableError | IntegrityError):
                reason = f"node '{member.node_id}' could not load it: {reason}"
            self._refuse(member, artifact, reason)
            return
        except Exception as error:
            _log.error("prepare_failed", node=member.node_id, exc_info=error)
            what = f"node '{member.node_id}' failed to load it ({type(error).__name__})"
            self._refuse(member, artifact, what)
            return
        member.ready[artifact.digest] = report.curve
        self._engine.post(ModelChanged(artifact.key, spec))

    def _refuse(self, member: Member, artifact: ModelArtifact, reason: str) -> None:
        self._catalog.disqualified(artifact, reason)
        _log.warning("model_refused", model=str(artifact.key), node=member.node_id, reason=reason)

    async def _set_state(self, member: Member, state: NodeState, reason: str) -> None:
        member.state, member.reason = state, reason
        async with self._settled:
            self._settled.notify_all()
