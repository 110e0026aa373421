"""Answers that were given and not yet taken: gRPC keeps them in this gateway's memory."""

from collections import Counter
from typing import Final

from farm.core.errors import OverloadedError
from farm.frontend.grpc_types import Context

# Of messages; what a message takes here is about three times that.
MAX_UNREAD_BYTES: Final = 256 << 20

_PUSHBACK_S: Final = 1.0


class UnreadAnswers:
    """Bounds the unary answers that wait for their clients to read them.

    gRPC takes every answer at once and keeps it until the client's side has room, however long
    that is. So a client may have as much unread as there is room left in `max_bytes`, as it may
    in the queues: one that reads nothing leaves half to the others. One that has nothing unread
    is always given its next answer, so the bound may be passed by one answer a client.
    `ModelStreamInfer` has a bound for each stream.
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
        self._total_bytes += size_bytes
        self._unread_bytes[client] += size_bytes
        # The stubs have a class where gRPC takes any function.
        context.add_done_callback(lambda _: self._read(client, size_bytes))  # type: ignore[arg-type]

    def _check(self, client: str, size_bytes: int) -> None:
        unread_bytes = self._unread_bytes.get(client, 0)
        if unread_bytes and unread_bytes + size_bytes > self._max_bytes - self._total_bytes:
            raise OverloadedError(
                f"{unread_bytes >> 10} KiB of answers wait for this client to read them, and the"
                " gateway keeps no more; read them, or ask for fewer at once",
                retry_after_s=_PUSHBACK_S,
            )

    def _read(self, client: str, size_bytes: int) -> None:
        self._total_bytes -= size_bytes
        self._unread_bytes[client] -= size_bytes
        if not self._unread_bytes[client]:
            del self._unread_bytes[client]
