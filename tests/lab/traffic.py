"""Load on a farm while something is done to it: every request counts, none is tried twice."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import digit_requests
import tritonclient.grpc as triton

# Between two requests of one connection: most of the cores is the hosts'.
_PAUSE_S = 0.02


class Traffic:
    """Digits over connections that stay open, and over a new connection for every request.

    `failures` are what requests that failed said, in order.
    """

    def __init__(self, address: str, folder: Path, *, lasting: int = 3, fresh: int = 2) -> None:
        self._address = address
        self._folder = folder
        self._ended = threading.Event()
        self._threads = [
            *(threading.Thread(target=self._keep(self._last)) for _ in range(lasting)),
            *(threading.Thread(target=self._keep(self._renew)) for _ in range(fresh)),
        ]
        self.nodes: set[str] = set()
        self.failures: list[str] = []
        self.answered = 0

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        self.await_answers()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def await_answers(self, count: int = 50, *, timeout_s: float = 60.0) -> None:
        """Wait until so many more requests have been answered."""
        wanted, deadline = self.answered + count, time.monotonic() + timeout_s
        while self.answered < wanted:
            assert time.monotonic() < deadline, f"{self.answered} of {wanted}; {self.failures[:3]}"
            self._ended.wait(_PAUSE_S)

    def _keep(self, work: Callable[[], None]) -> Callable[[], None]:
        def repeated() -> None:
            while not self._ended.is_set():
                work()

        return repeated

    def _last(self) -> None:
        with digit_requests.client(self._address, self._folder) as connection:
            while not self._ended.wait(_PAUSE_S):
                self._ask(connection)

    def _renew(self) -> None:
        with digit_requests.client(self._address, self._folder) as connection:
            self._ask(connection)
        self._ended.wait(_PAUSE_S)

    def _ask(self, connection: triton.InferenceServerClient) -> None:
        try:
            answer = digit_requests.ask(connection)
        except (triton.InferenceServerException, AssertionError) as error:
            self.failures.append(f"{time.strftime('%H:%M:%S')} {error}")
        else:
            self.nodes.add(answer.node)
            self.answered += 1
