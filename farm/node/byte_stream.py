"""A connection as a stream of bytes, plain or encrypted, read and written at the same time."""

import socket
import ssl
from contextlib import suppress
from threading import Lock
from typing import Any, Protocol

# Above it several writes cost less than a copy.
_JOINED_BYTES = 64 << 10

# What is read from the socket at once, and encrypted at once.
_CHUNK_BYTES = 256 << 10

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
                raise _ended()
            data += more
        return data

    def write(self, *pieces: bytes) -> None:
        if sum(map(len, pieces)) <= _JOINED_BYTES:
            self._peer.sendall(b"".join(pieces))
        else:
            for piece in pieces:
                self._peer.sendall(piece)

    def end(self) -> None:
        with suppress(OSError):
            self._peer.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._peer.close()


class EncryptedStream:
    """TLS over a socket.

    OpenSSL must not be called for one connection by two threads at once. So it works in
    memory, under a lock that nobody holds while he waits for the network.
    """

    def __init__(self, peer: socket.socket, context: ssl.SSLContext) -> None:
        """Shake hands, for no longer than the socket's timeout at a time.

        Raises:
            OSError: the peer ended it, or has no certificate that `context` accepts.
        """
        self._peer = peer
        self._arrived, self._leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._arrived, self._leaving, server_side=True)
        self._thinking = Lock()
        # What leaves OpenSSL must reach the socket in the same order.
        self._sending = Lock()
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._send_all()
                self._receive()
            except ssl.SSLError:
                # The peer is owed the alert that says why.
                with suppress(OSError):
                    self._send_all()
                raise
            else:
                break
        self._send_all()
        self.certificate = self._tls.getpeercert()

    def read(self, count: int) -> bytes:
        data = bytearray(count)
        have = 0
        with memoryview(data) as view:
            while have < count:
                # With a buffer it returns how many bytes, whatever its stub says.
                more: Any
                with self._thinking:
                    try:
                        more = self._tls.read(count - have, view[have:])
                    except ssl.SSLWantReadError:
                        more = None
                    except ssl.SSLError as error:
                        raise _ended() from error
                    owed = self._leaving.pending
                if owed:
                    self._send_all()
                if more is None:
                    self._receive()
                elif not more:
                    raise _ended()
                else:
                    have += more
        return bytes(data)

    def write(self, *pieces: bytes) -> None:
        if sum(map(len, pieces)) <= _JOINED_BYTES:
            pieces = (b"".join(pieces),)
        for piece in pieces:
            with memoryview(piece) as view:
                for start in range(0, len(piece), _CHUNK_BYTES):
                    with self._thinking:
                        self._tls.write(view[start : start + _CHUNK_BYTES])
                    self._send_all()

    def end(self) -> None:
        with suppress(OSError):
            self._peer.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._peer.close()

    def _receive(self) -> None:
        data = self._peer.recv(_CHUNK_BYTES)
        if not data:
            raise _ended()
        with self._thinking:
            self._arrived.write(data)

    def _send_all(self) -> None:
        with self._sending:
            with self._thinking:
                data = self._leaving.read()
            if data:
                self._peer.sendall(data)


def tune(peer: socket.socket) -> None:
    """Make a connection quick for small batches, and its end noticed."""
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        # Not every system has each of them.
        if hasattr(socket, name):
            peer.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _ended() -> ConnectionError:
    return ConnectionError("the peer ended the connection")
