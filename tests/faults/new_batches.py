"""When nodes that are lost were last given anything to do."""

import time
from collections.abc import Sequence

from repeated_looks import RepeatedLooks

from farm.client import AdminClient
from farm.client.tls import ClientTls
from farm.core.errors import FarmError


class NewBatches(RepeatedLooks):
    """Looks, while its block lasts, at the batches that a gateway has at some nodes.

    A batch that is answered between two looks is not seen; a node that is lost answers none.
    What a new actor is given that has taken a lost one's place does not count.
    """

    def __init__(self, address: str, nodes: Sequence[str], *, tls: ClientTls | None = None) -> None:
        super().__init__()
        self._admin, self._nodes = AdminClient(address, tls=tls), nodes
        self._lost: dict[str, str] = {}
        self._sent_at: list[float] = []

    def last_s(self, since_s: float) -> float:
        """Return how long after `since_s` the last batch was sent, 0 if none was."""
        return max((at - since_s for at in self._sent_at if at >= since_s), default=0.0)

    def look(self) -> None:
        for node in self._nodes:
            try:
                told = self._admin.describe_node(node)
            except FarmError:
                # The gateway itself is away, or the node has left it.
                continue
            now = time.monotonic()
            profile = told.node.profile
            incarnation = profile.incarnation if profile is not None else ""
            if self._lost.setdefault(node, incarnation) == incarnation:
                self._sent_at.extend(now - batch.age_s for batch in told.batches)

    def close(self) -> None:
        self._admin.close()
