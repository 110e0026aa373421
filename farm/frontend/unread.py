"""Answers that were given and not yet taken: they are in this gateway's memory until then."""

from collections import Counter
from typing import Final

from farm.core.errors import OverloadedError
from farm.frontend.grpc_types import Context

# Of messages. A unary one takes about three times that while gRPC has it.
MAX_UNREAD_BYTES: Final = 256 << 20

_PUSHBACK_S: Final = 1.0


class UnreadAnswers:
    """Bounds what waits for clients to read it, and shares the room out among them.

    A client may have as much unread as there is room left in `max_bytes`, as it may in the
    queues: one that reads nothing leaves half to the others. Whoever has nothing unread is
    always given an answer, so the bound may be passed by one for each client.
    """

    def __init__(self, max_bytes: int = MAX_UNREAD_BYTES) -> None:
        self._max_bytes = max_bytes
        self._total_bytes = 0
        # By client; those that have read everything are not in it.
        self._unread_bytes: Counter[str] = Counter()

    @property
    def total_bytes(self) -> int:
        """What all clients together have not read."""
        return self._total_bytes

    def has_room(self, client: str, size_bytes: int) -> bool:
        """Whether a client may have so many bytes more."""
        unread_bytes = self._unread_bytes.get(client, 0)
        return not unread_bytes or unread_bytes + size_bytes <= self._max_bytes - self._total_bytes

    def change(self, client: str, by_bytes: int) -> None:
        """Count that a client has so much more unread, or less."""
        self._total_bytes += by_bytes
        self._unread_bytes[client] += by_bytes
        if not self._unread_bytes[client]:
            del self._unread_bytes[client]


class UnaryAnswers:
    """The answers of calls of one answer each.

    gRPC takes such an answer at once and keeps it until the client's side has room, however
    long that is.
    """

    def __init__(self, unread: UnreadAnswers) -> None:
        self._unread = unread

    def check(self, client: str) -> None:
        """See that a client has room for another answer, before one is made for it.

        Raises:
            OverloadedError: it has to read first.
        """
        self._check(client, 0)

    def add(self, client: str, size_bytes: int, context: Context) -> None:
        """Count an answer of a call until it is sent, or the call ends without it.

        Raises:
            OverloadedError: there is no room for it.
        """
        self._check(client, size_bytes)
        self._unread.change(client, size_bytes)
        # The stubs have a class where gRPC takes any function.
        context.add_done_callback(lambda _: self._unread.change(client, -size_bytes))  # type: ignore[arg-type]

    def _check(self, client: str, size_bytes: int) -> None:
        if not self._unread.has_room(client, size_bytes):
            raise OverloadedError(
                "so many answers wait for this client to read them that the gateway keeps no"
                " more; read them, or ask for fewer at once",
                retry_after_s=_PUSHBACK_S,
            )
