"""A load of so much on all cores, to see what it draws.

    python -m farm.node.exercise LOAD SECONDS

is the child process that works: one thread a core multiplies matrices for a share of the time,
as inference does. A loop without vector instructions would draw far less: a Pi 5 takes 9.7 W
under stress-ng and 13.8 W under HPL (geerlingguy/sbc-reviews, 2026-04-10). The child ends after
its time, and when its parent does.
"""

import os
import subprocess
import sys
from contextlib import suppress
from threading import Event, Lock, Thread
from time import monotonic
from typing import Final

from farm.core.errors import InternalError, InvalidRequestError
from farm.node.affinity import usable_cores

# An exercise that nobody renews is over by then.
MAX_S: Final = 900.0

# Of work and rest of a core together: short beside what meters tell, long beside one product.
_PERIOD_S: Final = 0.1

# 128 x 128: long enough to leave the interpreter alone, short beside a period on any Pi.
_SIDE: Final = 128

# Heartbeats come first.
_NICENESS: Final = 10


class Exercise:
    """Keeps a node aside from batches, and its host at a load, for a bounded time."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._until = 0.0
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def under_way(self) -> bool:
        """Whether the node is to be left alone: it takes no new batches."""
        return monotonic() < self._until

    @property
    def loads(self) -> bool:
        """Whether it keeps cores busy now."""
        return self._child is not None and self._child.poll() is None

    def begin(self, load: float, seconds: float) -> None:
        """Load all cores for a share `load` of the time, in the place of what was asked before.

        A `load` of 0 leaves them idle, and `seconds` of 0 end the exercise.

        Raises:
            InvalidRequestError: there is no such load, or so much time.
            InternalError: no child process could be had.
        """
        if not (0 <= load <= 1 and 0 <= seconds <= MAX_S):
            raise InvalidRequestError(
                f"a load is from 0 to 1 for at most {MAX_S:g} s, not {load:g} for {seconds:g} s"
            )
        with self._lock:
            self._end_child()
            self._until = monotonic() + seconds
            if load > 0 and seconds > 0:
                self._child = _start(load, seconds)

    def close(self) -> None:
        """End it."""
        with self._lock:
            self._until = 0.0
            self._end_child()

    def _end_child(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()
            if child.stdin is not None:
                child.stdin.close()


def _start(load: float, seconds: float) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(
            [sys.executable, "-m", "farm.node.exercise", str(load), str(seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # The threads are ours; each product is to stay on its own.
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        )
    except OSError as error:
        raise InternalError(
            f"the node cannot start a process to load its cores ({error.strerror})"
        ) from error


def work(load: float, offset_s: float, over: Event) -> None:
    """Keep one core busy for a share of each period, which begins `offset_s` later than others'."""
    import numpy as np

    # Of many values: multiplying one and the same takes less.
    left = np.sin(np.arange(_SIDE**2, dtype=np.float32)).reshape(_SIDE, _SIDE)
    product = np.empty_like(left)
    begins_at = monotonic() + offset_s
    over.wait(offset_s)
    while not over.is_set():
        while monotonic() < begins_at + load * _PERIOD_S:
            np.matmul(left, left, out=product)
        # What came late is not made up for: that would be another load.
        begins_at = max(begins_at + _PERIOD_S, monotonic())
        over.wait(begins_at - monotonic())


def main(load: float, seconds: float) -> None:
    """Work on all cores for so long, or until standard input ends."""
    with suppress(OSError):
        os.nice(_NICENESS)
    over = Event()
    cores = len(usable_cores()) or os.cpu_count() or 1
    for core in range(cores):
        # At different moments, so that the host's watts are even.
        offset_s = core / cores * _PERIOD_S
        Thread(target=work, args=(load, offset_s, over), daemon=True).start()
    Thread(target=_watch_parent, args=(over,), daemon=True).start()
    over.wait(seconds)
    os._exit(0)


def _watch_parent(over: Event) -> None:
    while sys.stdin.buffer.read(1):
        pass
    over.set()


if __name__ == "__main__":
    main(float(sys.argv[1]), float(sys.argv[2]))
