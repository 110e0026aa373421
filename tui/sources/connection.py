"""The connection to a gateway that the screen's source and its operator share."""

from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from farm.client import AdminClient

# Makes a client; slow the first time, for gRPC is imported then.
Dial: TypeAlias = "Callable[[], AdminClient]"


class Connection:
    """One client of a gateway, made when it is first needed. Threads may share it."""

    def __init__(self, address: str, dial: Dial) -> None:
        self.address = address
        self._dial = dial
        self._lock = Lock()
        self._client: AdminClient | None = None

    def client(self) -> "AdminClient":
        """Return the client.

        Raises:
            FarmError: it cannot be made, for want of a certificate for instance.
        """
        with self._lock:
            if self._client is None:
                self._client = self._dial()
            return self._client

    def drop(self) -> None:
        """End every call; the next one connects anew."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()
