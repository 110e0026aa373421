"""Nodes whose process an operator wants to see replaced."""

import asyncio
from typing import Final

import structlog

from farm.core.errors import InvalidRequestError, NodeLostError, UnreachableError
from farm.core.nodes import NodeState
from farm.core.pool import WorkerPool
from farm.engine.engine import Engine
from farm.engine.fleet import Fleet
from farm.engine.members import Member
from farm.scheduling.events import NodeChanged

_log = structlog.get_logger()

# For the batches that run there: one that takes longer is run anew elsewhere.
_DRAIN_S: Final = 10.0
# Until the new process answers. It reads its models after that.
_UP_S: Final = 40.0


class Restarts:
    """Replaces the processes of nodes that are up."""

    def __init__(self, *, pool: WorkerPool, engine: Engine, fleet: Fleet) -> None:
        self._pool = pool
        self._engine = engine
        self._fleet = fleet

    async def restart(self, node_id: str) -> None:
        """End a node's process once its batches have ended, and return when another one is up.

        What it runs for other gateways, or for longer than a while, is run elsewhere.

        Raises:
            InvalidRequestError: the farm has no such node, or restarts it already.
            NodeLostError: it is not up, so it is being started anyway.
            UnreachableError: no new process came up in time.
        """
        member = self._fleet.member(node_id)
        if member.restarting:
            raise InvalidRequestError(
                f"node '{node_id}' is being restarted already; see `farm nodes ls`"
            )
        old = member.incarnation
        if member.state is NodeState.LOST or not old:
            raise NodeLostError(
                f"node '{node_id}' is not up, and the farm is trying to start it already; see"
                " `farm nodes ls` for why it does not come up"
            )
        _log.info("restarting", node=node_id)
        member.restarting = True
        try:
            await self._drain(member)
            self._pool.replace(node_id, old, "an operator restarted it")
            async with asyncio.timeout(_UP_S):
                while (await member.heartbeat()).incarnation == old:
                    continue
        except TimeoutError as error:
            raise UnreachableError(
                f"the process of node '{node_id}' was ended, and no other one is up after"
                f" {_UP_S:g} s; the farm goes on trying: see `farm nodes ls`"
            ) from error
        finally:
            member.restarting = False

    async def _drain(self, member: Member) -> None:
        """Let a node's batches end, and give it no others; without the node's own knowledge."""
        node_id = member.node_id
        self._engine.post(NodeChanged(node_id=node_id, cordoned=True))
        try:
            async with asyncio.timeout(_DRAIN_S):
                await self._engine.reached(lambda machine: not machine.inflight_at(node_id))
        except TimeoutError:
            _log.warning("restarting_under_load", node=node_id)
        except asyncio.CancelledError:
            # Nobody waits for it any more, and nothing has happened yet.
            self._engine.post(NodeChanged(node_id=node_id, cordoned=member.cordoned))
            raise
