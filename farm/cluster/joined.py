"""Which machines of the farm are in the cluster now."""

import asyncio
from typing import Any

from farm.cluster.names import resource_name
from farm.core.errors import UnreachableError

# All supervisors of absent nodes share one look.
_FRESH_S = 0.9


class JoinedMachines:
    """The cluster's members, as the head knows them."""

    def __init__(self) -> None:
        self._resources: frozenset[str] = frozenset()
        self._looked_at = -_FRESH_S
        self._looking = asyncio.Lock()

    async def has(self, node_id: str) -> bool:
        """Whether the machine on which a node's actor is placed has joined and lives.

        Raises:
            UnreachableError: the head does not answer.
        """
        async with self._looking:
            now = asyncio.get_running_loop().time()
            if now - self._looked_at >= _FRESH_S:
                # It blocks, and for long where the head is away.
                try:
                    self._resources = await asyncio.to_thread(_present)
                except Exception as error:
                    raise UnreachableError(
                        f"the farm's head does not answer ({type(error).__name__}); see its"
                        " farm-head service"
                    ) from error
                self._looked_at = now
        return resource_name(node_id) in self._resources


def _present() -> frozenset[str]:
    import ray

    # Ray's stubs do not know what it returns.
    machines: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return frozenset(
        resource for machine in machines if machine["Alive"] for resource in machine["Resources"]
    )
