"""Which machines of the farm are in the cluster now."""

import asyncio
from collections.abc import Mapping
from typing import Any

from farm.cluster.names import resource_name
from farm.core.errors import UnreachableError

# All supervisors of absent nodes share one look.
_FRESH_S = 0.9


class JoinedMachines:
    """The cluster's members, as the head knows them."""

    def __init__(self) -> None:
        self._members: Mapping[str, str] = {}
        self._looked_at = -_FRESH_S
        self._looking = asyncio.Lock()

    async def membership(self, node_id: str) -> str:
        """Return as what the machine on which a node's actor is placed is in the cluster.

        It is another word each time that the machine joins, "" while it is not there.

        Raises:
            UnreachableError: the head does not answer.
        """
        async with self._looking:
            now = asyncio.get_running_loop().time()
            if now - self._looked_at >= _FRESH_S:
                # It blocks, and for long where the head is away.
                try:
                    self._members = await asyncio.to_thread(_present)
                except Exception as error:
                    raise UnreachableError(
                        f"the farm's head does not answer ({type(error).__name__}); see its"
                        " farm-head service"
                    ) from error
                self._looked_at = now
        return self._members.get(resource_name(node_id), "")


def _present() -> Mapping[str, str]:
    """Return the membership of each machine that lives, by the names of its resources."""
    import ray

    # Ray's stubs do not know what it returns.
    machines: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return {
        resource: machine["NodeID"]
        for machine in machines
        if machine["Alive"]
        for resource in machine["Resources"]
    }
