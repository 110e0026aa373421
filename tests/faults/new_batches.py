"""When nodes that are lost were last given anything to do."""

import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

from farm.client import AdminClient
from farm.client.tls import ClientTls
from farm.core.errors import FarmError

_LOOK_S: Final = 0.1


class NewBatches:
    """Looks, while its block lasts, at the batches that a gateway has at some nodes.

    A batch that is answered between two looks is not seen; a node that is lost answers none.
    What a new actor is given that has taken a lost one's place does not count.
    """

    def __init__(self, address: str, nodes: Sequence[str], *, tls: ClientTls | None = None) -> None:
        self._address, self._nodes, self._tls = address, nodes, tls
        self._lost: dict[str, str] = {}
        self._sent_at: list[float] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def last_s(self, since_s: float) -> float:
        """Return how long after `since_s` the last batch was sent, 0 if none was."""
        return max((at - since_s for at in self._sent_at if at >= since_s), default=0.0)

    def _look(self) -> None:
        with AdminClient(self._address, tls=self._tls) as admin:
            while not self._ended.wait(_LOOK_S):
                for node in self._nodes:
                    try:
                        told = admin.describe_node(node)
                    except FarmError:
                        # The gateway itself is away, or the node has left it.
                        continue
                    now = time.monotonic()
                    profile = told.node.profile
                    incarnation = profile.incarnation if profile is not None else ""
                    if self._lost.setdefault(node, incarnation) == incarnation:
                        self._sent_at.extend(now - batch.age_s for batch in told.batches)
