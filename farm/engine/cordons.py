"""Nodes taken out of service and put back by their operators."""

import asyncio

from farm.core.errors import NodeLostError, UnreachableError
from farm.core.pool import WorkerPool
from farm.engine.engine import Engine
from farm.engine.fleet import Fleet

_ANSWER_S = 5.0


class Cordons:
    """Tells nodes whether to take new batches. A node remembers it, whatever restarts."""

    def __init__(self, *, pool: WorkerPool, engine: Engine, fleet: Fleet) -> None:
        self._pool = pool
        self._engine = engine
        self._fleet = fleet

    async def draw(self, node_id: str, *, cordoned: bool) -> None:
        """Take a node out of service, or put it back; what it runs now ends its run.

        Raises:
            InvalidRequestError: the farm has no such node.
            NodeLostError: it is not up.
            UnreachableError: it did not answer.
        """
        member = self._fleet.member(node_id)
        try:
            async with asyncio.timeout(_ANSWER_S):
                await self._pool.set_cordon(node_id, cordoned=cordoned)
        except TimeoutError as error:
            raise UnreachableError(
                f"node '{node_id}' did not answer within {_ANSWER_S:g} s; see with `farm nodes ls`"
                " whether it hangs, and try again once it is ready"
            ) from error
        except NodeLostError as error:
            raise NodeLostError(
                f"node '{node_id}' is not up, and a cordon is the node's own to remember; try again"
                " once it is back"
            ) from error
        self._fleet.cordon(member, cordoned=cordoned)
        # The machine hears of it at the end of this turn.
        await self._engine.reached(lambda _: True)
