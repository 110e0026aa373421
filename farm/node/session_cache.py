"""How many sessions stay open."""

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from time import monotonic

from farm.node.sessions import Session

# A digest and the threads that a batch of it runs on.
_Key = tuple[str, int]

Opener = Callable[[], tuple[Session, int]]


@dataclass(slots=True)
class _Open:
    session: Session
    size_bytes: int
    used_at: float


class SessionCache:
    """The least recently used sessions close when there are too many or they are too big.

    A model has one session for each number of threads that it is run on: that of the split
    that was chosen and, until `settle`, that of the one before.
    """

    def __init__(
        self, *, max_sessions: int, max_bytes: int, clock: Callable[[], float] = monotonic
    ) -> None:
        self._max_sessions = max_sessions
        self._max_bytes = max_bytes
        self._clock = clock
        self._lock = Lock()
        self._opening = Lock()
        self._open: OrderedDict[_Key, _Open] = OrderedDict()
        # Whether any was closed since `settle` was last asked.
        self._closed = False
        # Opens sessions that nobody waits for, and which ones.
        self._background = ThreadPoolExecutor(1, "open session")
        self._coming: set[_Key] = set()

    def __len__(self) -> int:
        return len(self._open)

    def get(self, digest: str, threads: int, opener: Opener) -> Session:
        """Return a model's session, opened with its size in bytes by `opener` if need be.

        While the model has one for another number of threads, nobody waits: that one is
        returned until this one is open.
        """
        key = (digest, threads)
        session = self._lookup(key)
        if session is not None:
            return session
        with self._lock:
            other = self._of(digest)[-1:]
            if other and key not in self._coming:
                self._coming.add(key)
                self._background.submit(self._open_ahead, key, opener)
        session = self._lookup(other[0]) if other else None
        return session or self._opened(key, opener)

    def _opened(self, key: _Key, opener: Opener) -> Session:
        with self._opening:
            session = self._lookup(key)
            if session is None:
                session, size_bytes = opener()
                with self._lock:
                    self._open[key] = _Open(session, size_bytes, self._clock())
                    self._close_former(key)
                    self._shrink(keep=key)
            return session

    def _open_ahead(self, key: _Key, opener: Opener) -> None:
        try:
            self._opened(key, opener)
        finally:
            # If it failed, whoever wants it next tries again, and is told unless another is open.
            with self._lock:
                self._coming.discard(key)

    def _lookup(self, key: _Key) -> Session | None:
        with self._lock:
            entry = self._open.get(key)
            if entry is None:
                return None
            self._open.move_to_end(key)
            entry.used_at = self._clock()
            return entry.session

    def drop(self, digest: str) -> None:
        """Close a model's sessions. One that runs now ends its run first.

        One that is being opened now is waited for: whoever opens it found the model's files
        still there, and would leave a session behind that nobody drops.
        """
        with self._opening, self._lock:
            for key in self._of(digest):
                self._close(key)

    def settle(self, *, idle_s: float) -> bool:
        """Close sessions unused for `idle_s` whose model has used another one since.

        Return whether any session was closed since the last call, here or for want of room.
        """
        with self._lock:
            before = self._clock() - idle_s
            latest = {key[0]: key for key in self._open}
            for key, entry in list(self._open.items()):
                if latest[key[0]] != key and entry.used_at <= before:
                    self._close(key)
            closed, self._closed = self._closed, False
            return closed

    def empty(self) -> None:
        """Close every session; one that runs now ends its run first."""
        with self._lock:
            for key in list(self._open):
                self._close(key)

    def close(self) -> None:
        """Open no more sessions ahead of their use."""
        self._background.shutdown(wait=True, cancel_futures=True)

    def _of(self, digest: str) -> list[_Key]:
        """Return the sessions of a model, the most recently used last."""
        return [key for key in self._open if key[0] == digest]

    def _close_former(self, key: _Key) -> None:
        """Keep one more session of a model than the one that was just opened."""
        for former in self._of(key[0])[:-2]:
            self._close(former)

    def _shrink(self, keep: _Key) -> None:
        size = sum(entry.size_bytes for entry in self._open.values())
        for key in list(self._open):
            if len(self._open) <= self._max_sessions and size <= self._max_bytes:
                return
            if key != keep:
                size -= self._open[key].size_bytes
                self._close(key)

    def _close(self, key: _Key) -> None:
        del self._open[key]
        self._closed = True
