"""The most memory that a process takes while something is done to it."""

import threading
from types import TracebackType
from typing import Final, Self

import psutil

_LOOK_S: Final = 0.1


class MemoryPeak:
    """Looks at a process while its block lasts; `grown_bytes` is of its RSS."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._before_bytes = self._most_bytes = self._process.memory_info().rss
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

    @property
    def grown_bytes(self) -> int:
        return self._most_bytes - self._before_bytes

    def _look(self) -> None:
        while not self._ended.wait(_LOOK_S):
            self._most_bytes = max(self._most_bytes, self._process.memory_info().rss)
