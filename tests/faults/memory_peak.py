"""The most memory that a process takes while something is done to it."""

import psutil
from repeated_looks import RepeatedLooks


class MemoryPeak(RepeatedLooks):
    """Looks at a process while its block lasts; `grown_bytes` is of its RSS."""

    def __init__(self, pid: int) -> None:
        super().__init__()
        self._process = psutil.Process(pid)
        self._before_bytes = self._most_bytes = self._process.memory_info().rss

    @property
    def grown_bytes(self) -> int:
        return self._most_bytes - self._before_bytes

    def look(self) -> None:
        self._most_bytes = max(self._most_bytes, self._process.memory_info().rss)
