"""A connection as a stream of bytes that is read and written at the same time."""

import socket
from contextlib import suppress
from typing import Protocol

# Above it several writes cost less than a copy.
JOINED_BYTES = 64 << 10

# A gateway that is gone without a word is noticed after about half a minute.
_KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 4, "TCP_USER_TIMEOUT": 30_000}


class ByteStream(Protocol):
    """One reader and one writer at a time, each on a thread of its own.

    All but `end` and `close` raise `OSError` when the connection has ended.
    """

    def read(self, count: int) -> bytes:
        """Wait for so many bytes."""
        ...

    def write(self, *pieces: bytes) -> None:
        """Send pieces, one after the other."""
        ...

    def end(self) -> None:
        """End the connection, which wakes whoever reads or writes."""
        ...

    def close(self) -> None:
        """Release it once nobody reads or writes any more."""
        ...


class PlainStream:
    """A socket as it is."""

    def __init__(self, peer: socket.socket) -> None:
        self._peer = peer

    def read(self, count: int) -> bytes:
        data = self._peer.recv(count, socket.MSG_WAITALL) if count else b""
        while len(data) < count:
            more = self._peer.recv(count - len(data), socket.MSG_WAITALL)
            if not more:
                raise ended()
            data += more
        return data

    def write(self, *pieces: bytes) -> None:
        if sum(map(len, pieces)) <= JOINED_BYTES:
            self._peer.sendall(b"".join(pieces))
        else:
            for piece in pieces:
                self._peer.sendall(piece)

    def end(self) -> None:
        with suppress(OSError):
            self._peer.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._peer.close()


def tune(peer: socket.socket) -> None:
    """Make a connection quick for small batches, and its end noticed."""
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        # Not every system has each of them.
        if hasattr(socket, name):
            peer.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def ended() -> ConnectionError:
    return ConnectionError("the peer ended the connection")
