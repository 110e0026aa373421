"""When a node gives back the memory that its models' sessions hold beyond their weights.

A session keeps what its largest request took: one that asked for two tensors of 256 MiB left a
process of 65 MB at 742 MB, and closing the session gave all but 2 MB of it back. So where the
machine runs short of memory, sessions are closed. The next request opens its model anew.
"""

from collections.abc import Callable
from time import monotonic

# Of the machine's memory. Below this Ray, which ends processes at 5 %, is not far.
_SHORT_SHARE = 0.15
# Sessions that are opened again at once must not be closed again at once.
_PAUSE_S = 30.0


class Shortage:
    """Judges heartbeat by heartbeat whether sessions are to be closed."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._again_at = 0.0

    def begins(self, *, total_bytes: int, available_bytes: int) -> bool:
        """Whether memory is short now, and sessions were not closed for that lately."""
        now = self._clock()
        if available_bytes >= total_bytes * _SHORT_SHARE or now < self._again_at:
            return False
        self._again_at = now + _PAUSE_S
        return True
