"""How many sessions stay open."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

from farm.node.sessions import Session


class SessionCache:
    """The least recently used sessions close when there are too many or they are too big."""

    def __init__(self, *, max_sessions: int, max_bytes: int) -> None:
        self._max_sessions = max_sessions
        self._max_bytes = max_bytes
        self._lock = Lock()
        self._opening = Lock()
        self._open: OrderedDict[str, tuple[Session, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def get(self, digest: str, opener: Callable[[], tuple[Session, int]]) -> Session:
        """Return a model's session, opened with its size in bytes by `opener` if need be."""
        session = self._lookup(digest)
        if session is not None:
            return session
        with self._opening:
            session = self._lookup(digest)
            if session is None:
                session, size_bytes = opener()
                with self._lock:
                    self._open[digest] = (session, size_bytes)
                    self._shrink(keep=digest)
            return session

    def _lookup(self, digest: str) -> Session | None:
        with self._lock:
            entry = self._open.get(digest)
            if entry is None:
                return None
            self._open.move_to_end(digest)
            return entry[0]

    def drop(self, digest: str) -> None:
        """Close a session. One that runs now ends its run first.

        One that is being opened now is waited for: whoever opens it found the model's files
        still there, and would leave a session behind that nobody drops.
        """
        with self._opening, self._lock:
            self._open.pop(digest, None)

    def _shrink(self, keep: str) -> None:
        size = sum(size for _, size in self._open.values())
        for digest in list(self._open):
            if len(self._open) <= self._max_sessions and size <= self._max_bytes:
                return
            if digest != keep:
                size -= self._open.pop(digest)[1]
