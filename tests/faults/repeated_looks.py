"""Looking at something again and again while something is done to it."""

import threading
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Final, Self

_LOOK_S: Final = 0.1


class RepeatedLooks(ABC):
    """Calls `look`, on a thread of its own, ten times a second while its block lasts."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

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
        self.close()

    @abstractmethod
    def look(self) -> None:
        """Take down what there is to be seen now."""

    def close(self) -> None:  # noqa: B027  # most have nothing to let go of
        """Let go of what was looked with."""

    def _run(self) -> None:
        while not self._ended.wait(_LOOK_S):
            self.look()
