"""Measures what batches of each model cost on each node, once there is time for it.

A model serves before its curves are known; until then the machine takes every batch for
equally quick. Nodes on one host share its cores, so they are measured one after the other.
"""

import asyncio

import structlog

from farm.core.errors import FarmError, NodeLostError
from farm.core.pool import WorkerPool
from farm.engine.fleet import Fleet
from farm.engine.members import Member

_log = structlog.get_logger()


class Curves:
    """Fills in the curves that nodes still lack, in the background."""

    def __init__(self, *, pool: WorkerPool, fleet: Fleet) -> None:
        self._pool = pool
        self._fleet = fleet
        # Hosts on which something is measured now.
        self._busy: set[str] = set()

    async def run(self) -> None:
        """Measure whatever appears, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._fleet.changed.clear()
                for host in {_host(m) for m in self._fleet.ready_members() if m.unmeasured}:
                    if host not in self._busy:
                        self._busy.add(host)
                        group.create_task(self._measure_host(host), name=f"measure {host}")
                await self._fleet.changed.wait()

    async def _measure_host(self, host: str) -> None:
        try:
            while member := self._next(host):
                await self._measure(member, member.unmeasured.pop())
        finally:
            self._busy.discard(host)

    def _next(self, host: str) -> Member | None:
        nodes = (m for m in self._fleet.ready_members() if m.unmeasured and _host(m) == host)
        return next(nodes, None)

    async def _measure(self, member: Member, digest: str) -> None:
        incarnation = member.incarnation
        try:
            curve = await self._pool.measure(member.node_id, digest)
        except NodeLostError:
            return
        except FarmError as error:
            _log.warning("measure_failed", node=member.node_id, reason=error.message)
            return
        if curve is not None and member.incarnation == incarnation and digest in member.ready:
            member.ready[digest] = curve
            self._fleet.tell(member)
            _log.debug("curve_measured", node=member.node_id, digest=digest, points=curve.points)


def _host(member: Member) -> str:
    return (member.profile.host if member.profile is not None else "") or member.node_id
