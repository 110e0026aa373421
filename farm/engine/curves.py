"""Measures what batches of each model cost on each node, once there is time for it.

A model serves before its curves are known; until then the machine takes every batch for
equally quick. Nodes on one host share its cores, so they are measured one after the other.
"""

import asyncio

import structlog

from farm.core.errors import FarmError, NodeLostError
from farm.core.pool import WorkerPool
from farm.engine.fleet import Fleet, Member

_log = structlog.get_logger()


class Curves:
    """Fills in the curves that nodes still lack, in the background."""

    def __init__(self, *, pool: WorkerPool, fleet: Fleet) -> None:
        self._pool = pool
        self._fleet = fleet

    async def run(self) -> None:
        """Measure whatever appears, until cancelled."""
        while True:
            self._fleet.changed.clear()
            await asyncio.gather(*(self._measure_host(nodes) for nodes in self._hosts()))
            await self._fleet.changed.wait()

    def _hosts(self) -> list[list[Member]]:
        hosts: dict[str, list[Member]] = {}
        for member in self._fleet.ready_members():
            host = member.profile.host if member.profile is not None else ""
            hosts.setdefault(host or member.node_id, []).append(member)
        return list(hosts.values())

    async def _measure_host(self, nodes: list[Member]) -> None:
        for member in nodes:
            while member.unmeasured:
                await self._measure(member, member.unmeasured.pop())

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
