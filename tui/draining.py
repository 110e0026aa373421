"""A drain: a node is cordoned, and watched until nothing runs there."""

import asyncio
from collections.abc import Callable
from typing import Final

from farm.core.draining import is_idle, running
from farm.core.errors import FarmError, NodeLostError
from farm.core.snapshots import FarmSnapshot
from tui.errands import Say
from tui.sources.source import Operator
from tui.store import Store

TIMEOUT_S: Final = 120.0
_LOOK_S: Final = 0.1


class DrainWatch:
    """Judges by snapshots how far a node is that was told to take no batches."""

    def __init__(self, node_id: str) -> None:
        self._node_id = node_id
        self._cordoned_unix_ns: int | None = None

    def left(self, snapshot: FarmSnapshot) -> str:
        """Return in words what the node still does, "" once it is idle.

        Raises:
            FarmError: the node is gone, or somebody has put it back into service.
        """
        node = next((node for node in snapshot.nodes if node.node_id == self._node_id), None)
        if node is None:
            raise NodeLostError(f"the farm has no node '{self._node_id}' any more")
        if not node.cordoned:
            if self._cordoned_unix_ns is None:
                return "waiting for the gateway to tell of it"
            raise FarmError("it was put back into service before it was drained")
        if self._cordoned_unix_ns is None:
            self._cordoned_unix_ns = snapshot.taken_unix_ns
        cordoned_for_s = (snapshot.taken_unix_ns - self._cordoned_unix_ns) / 1e9
        return "" if is_idle(node, cordoned_for_s) else running(node)


async def drain(
    operator: Operator, say: Say, *, node_id: str, store: Store, now: Callable[[], float]
) -> str:
    """Cordon a node and return once it runs nothing, as the store tells; say what is left.

    Raises:
        FarmError: it cannot be cordoned, or is not idle within `TIMEOUT_S`; then it stays
            cordoned.
    """
    before = store.reading
    await asyncio.to_thread(operator.cordon, node_id)
    watch = DrainWatch(node_id)
    ends = now() + TIMEOUT_S
    left = "waiting for the gateway to tell of it"
    while now() < ends:
        if store.reading is not None and store.reading is not before:
            before = store.reading
            left = watch.left(store.reading.snapshot)
            if not left:
                return "nothing runs there; it stays cordoned until you uncordon it"
        say(f"{left}; the gateway is silent" if store.stale(now()) else left)
        await asyncio.sleep(_LOOK_S)
    raise FarmError(
        f"not drained after {TIMEOUT_S:g} s: {left}. It stays cordoned: drain it again, or uncordon"
        " it"
    )
