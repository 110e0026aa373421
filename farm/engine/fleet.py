"""Nodes as they come and go: each is given the models before it is given traffic."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from farm.core.clock import Clock
from farm.core.errors import FarmError, InvalidRequestError, NodeLostError
from farm.core.ledger import IncidentKind
from farm.core.models import ModelArtifact
from farm.core.nodes import NodeProfile, NodeState, NodeVitals
from farm.core.pool import NodeDown, NodeHeartbeat, NodeUp, WorkerPool
from farm.engine.accounting import Accounting
from farm.engine.engine import Engine
from farm.engine.members import Member
from farm.engine.supply import Supply
from farm.scheduling.events import NodeChanged, NodeHeard, NodeJoined, NodeLost

_log = structlog.get_logger()

# A start gives up when every node went down this often.
_HOPELESS_LOSSES = 3

# Before a node is asked again for what it could not take for a fault of its own, and at most.
_FIRST_PAUSE_S = 1.0
_MAX_PAUSE_S = 60.0


class Fleet:
    """Consumes the pool's events; reconciles each new incarnation, then lets it join."""

    def __init__(
        self,
        *,
        pool: WorkerPool,
        engine: Engine,
        supply: Supply,
        accounting: Accounting,
        clock: Clock,
    ) -> None:
        self._pool = pool
        self._engine = engine
        self._supply = supply
        self._accounting = accounting
        self._clock = clock
        self.members = {node_id: Member(node_id=node_id) for node_id in pool.node_ids}
        self._reconciling: dict[str, asyncio.Task[None]] = {}
        self._settled = asyncio.Condition()
        # Set whenever a node may hold a model that it did not hold before.
        self.changed = asyncio.Event()

    async def run(self) -> None:
        """Follow the nodes until cancelled."""
        try:
            async for event in self._pool.events():
                match event:
                    case NodeUp(profile=profile, cordoned=cordoned):
                        self._greet(profile, cordoned=cordoned)
                    case NodeDown(node_id=node_id, reason=reason):
                        await self._bury(node_id, reason)
                    case NodeHeartbeat(node_id=node_id, vitals=vitals):
                        self._hear(self.members[node_id], vitals)
        finally:
            for task in self._reconciling.values():
                task.cancel()
            await asyncio.gather(*self._reconciling.values(), return_exceptions=True)

    async def settled(self) -> None:
        """Wait until some node is ready and none is on its way in, or all seem hopeless."""
        async with self._settled:
            await self._settled.wait_for(self._has_settled)

    async def some_ready(self) -> None:
        """Wait until some node is ready, or all seem hopeless."""
        async with self._settled:
            await self._settled.wait_for(lambda: self.any_ready() or self._seems_hopeless())

    def _has_settled(self) -> bool:
        if self._seems_hopeless():
            return True
        members = self.members.values()
        return self.any_ready() and all(m.state is not NodeState.JOINING for m in members)

    def _seems_hopeless(self) -> bool:
        return all(member.losses >= _HOPELESS_LOSSES for member in self.members.values())

    def member(self, node_id: str) -> Member:
        """Return a node that an operator names.

        Raises:
            InvalidRequestError: the farm has no such node.
        """
        member = self.members.get(node_id)
        if member is None:
            known = ", ".join(self.members)
            raise InvalidRequestError(f"the farm has no node '{node_id[:64]}'; it has {known}")
        return member

    def ready_nodes(self, digest: str) -> tuple[str, ...]:
        """Return the nodes that serve a model now."""
        return tuple(member.node_id for member in self.ready_members() if digest in member.ready)

    def serves(self, digest: str) -> bool:
        """Whether any node serves a model now."""
        return any(digest in member.ready for member in self.ready_members())

    def refusal(self, artifact: ModelArtifact) -> str:
        """Return why no ready node holds a version, if each of them refused it."""
        ready = self.ready_members()
        if not all(artifact in member.refused for member in ready):
            return ""
        return "; ".join(sorted({member.refused[artifact] for member in ready}))

    def any_ready(self) -> bool:
        """Whether any node is up and holds its models."""
        return bool(self.ready_members())

    def any_accepting(self) -> bool:
        """Whether any ready node may be sent new batches."""
        return any(not member.cordoned for member in self.ready_members())

    def ready_members(self) -> tuple[Member, ...]:
        """Return the nodes that hold their models and are up, cordoned or not."""
        return tuple(m for m in self.members.values() if m.state is NodeState.READY)

    def tell(self, member: Member) -> None:
        """Let the machine know what a node may run now, and how fast."""
        if member.state is NodeState.READY:
            self._engine.post(NodeChanged(node_id=member.node_id, ready=dict(member.ready)))
        self.changed.set()

    def tell_thrift(self) -> None:
        """Let the machine know what rows take now on every node."""
        for member in self.ready_members():
            self._tell_thrift(member)

    def _tell_thrift(self, member: Member) -> None:
        joules = self._accounting.joules_per_row(member.node_id, member.ready)
        self._engine.post(NodeChanged(node_id=member.node_id, joules_per_row=joules))

    async def release(self, digest: str) -> None:
        """Make every node forget a digest, unless a version still wants it."""
        if self._supply.in_use(digest):
            return
        holders = [m for m in self.members.values() if m.state is not NodeState.LOST]
        await asyncio.gather(*(self._drop(member, digest) for member in holders))

    async def _drop(self, member: Member, digest: str) -> None:
        if member.forget(digest):
            self.tell(member)
        try:
            await self._pool.unload(member.node_id, digest)
        except NodeLostError:
            return
        except FarmError as error:
            _log.warning("unload_failed", node=member.node_id, reason=error.message)

    def cordon(self, member: Member, *, cordoned: bool) -> None:
        """Send a node no more new batches, or do so again; the node was told already."""
        member.cordoned, member.outdated = cordoned, True
        _log.info("cordon", node=member.node_id, cordoned=cordoned)
        if member.state is NodeState.READY:
            self._engine.post(NodeChanged(node_id=member.node_id, cordoned=cordoned))

    def _hear(self, member: Member, vitals: NodeVitals) -> None:
        member.hear(vitals, self._clock.monotonic())
        self._accounting.heard(member.node_id, vitals)
        self._engine.post(
            NodeHeard(node_id=member.node_id, incarnation=vitals.incarnation, speed=vitals.speed)
        )
        if vitals.cordoned is not member.cordoned and not member.outdated:
            # By way of another gateway.
            self.cordon(member, cordoned=vitals.cordoned)
        member.outdated = False
        if member.state is NodeState.READY and vitals.incarnation == member.incarnation:
            self._see_losses(member, vitals)

    def _see_losses(self, member: Member, vitals: NodeVitals) -> None:
        """Notice what a node can run no more: its disk damaged it, or another gateway took it."""
        lost = member.lost(vitals)
        if not lost:
            return
        _log.warning("models_lost", node=member.node_id, digests=sorted(d[:12] for d in lost))
        for digest in lost:
            member.forget(digest)
        self.tell(member)
        if member.profile is not None and self._reconciling[member.node_id].done():
            self._start(member.node_id, self._complete(member, member.profile))

    def _greet(self, profile: NodeProfile, *, cordoned: bool) -> None:
        member = self.members[profile.node_id]
        member.state, member.reason = NodeState.JOINING, "receiving models"
        member.profile = profile
        self._accounting.joined(profile)
        member.cordoned = cordoned
        member.clear()
        member.heard_at = self._clock.monotonic()
        self._stop_reconciling(profile.node_id)
        self._start(profile.node_id, self._reconcile(member, profile))

    def _start(self, node_id: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=f"reconcile {node_id}")
        task.add_done_callback(self._reconciled)
        self._reconciling[node_id] = task

    async def _bury(self, node_id: str, reason: str) -> None:
        self._stop_reconciling(node_id)
        self._engine.post(NodeLost(node_id=node_id, reason=reason))
        member = self.members[node_id]
        member.clear()
        if member.state is not NodeState.LOST:
            self._accounting.went_wrong(IncidentKind.NODE_LOST, node_id, reason)
        member.losses += 1
        await self._set_state(member, NodeState.LOST, reason)

    def _stop_reconciling(self, node_id: str) -> None:
        task = self._reconciling.pop(node_id, None)
        if task is not None:
            task.cancel()

    def _reconciled(self, task: "asyncio.Task[None]") -> None:
        """A defect here would keep a node out for ever: the gateway must restart."""
        if not task.cancelled() and task.exception() is not None:
            _log.critical("reconcile_failed", task=task.get_name(), exc_info=task.exception())
            self._engine.broken.set()

    async def _reconcile(self, member: Member, profile: NodeProfile) -> None:
        """Give a node every desired model, then let it join with those that work on it."""
        try:
            # What is desired may change while the node receives it.
            while missing := self._supply.missing(member):
                for count, available in enumerate(missing):
                    member.reason = f"received {count} of {len(missing)} models"
                    await self._supply.give(member, profile, available)
        except NodeLostError:
            # The supervisor sees it too and will report the node down.
            return
        # Nothing is awaited between the last look and this, so no load can slip in between.
        self._engine.post(NodeJoined(profile=profile, ready=dict(member.ready)))
        self._tell_thrift(member)
        if member.cordoned:
            self._engine.post(NodeChanged(node_id=member.node_id, cordoned=True))
        await self._set_state(member, NodeState.READY, "")
        self.changed.set()
        _log.info("node_ready", node=member.node_id, versions=len(member.holds))
        await self._tidy(member)
        # What it refused in passing, and what it was seen to lose meanwhile.
        if self._supply.missing(member, again=True):
            await self._complete(member, profile)

    async def _complete(self, member: Member, profile: NodeProfile) -> None:
        """Give a ready node what it has lost or could not take, again and again until it has it."""
        pause_s = 0.0
        try:
            while True:
                await asyncio.sleep(pause_s)
                for available in self._supply.missing(member, again=True):
                    await self._supply.give(member, profile, available)
                    self.tell(member)
                await self._tidy(member)
                if not self._supply.missing(member, again=True):
                    return
                pause_s = min(max(2 * pause_s, _FIRST_PAUSE_S), _MAX_PAUSE_S)
        except NodeLostError:
            return

    async def _tidy(self, member: Member) -> None:
        """Take from a node what nobody wants any more."""
        for digest in [d for d in member.ready if not self._supply.in_use(d)]:
            await self._drop(member, digest)

    async def _set_state(self, member: Member, state: NodeState, reason: str) -> None:
        member.state, member.reason = state, reason
        async with self._settled:
            self._settled.notify_all()
