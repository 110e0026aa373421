"""TLS as a stream of bytes that one thread reads while another writes.

Only what encrypts imports this: OpenSSL takes memory.
"""

import socket
import ssl
from contextlib import suppress
from threading import Lock
from time import monotonic
from typing import Any

from farm.node.byte_stream import JOINED_BYTES, ended

# What is read from the socket at once, and encrypted at once.
_CHUNK_BYTES = 256 << 10


class EncryptedStream:
    """TLS over a socket.

    OpenSSL must not be called for one connection by two threads at once. So it works in
    memory, under a lock that nobody holds while he waits for the network.
    """

    def __init__(self, peer: socket.socket, context: ssl.SSLContext, *, handshake_s: float) -> None:
        """Shake hands.

        Raises:
            OSError: the peer ended it, took too long, or has no certificate that `context`
                accepts.
        """
        self._peer = peer
        self._arrived, self._leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._arrived, self._leaving, server_side=True)
        self._thinking = Lock()
        # What leaves OpenSSL must reach the socket in the same order.
        self._sending = Lock()
        until = monotonic() + handshake_s
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._send_all()
                if monotonic() > until:
                    raise TimeoutError("the handshake took too long") from None
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
                        raise ended() from error
                    owed = self._leaving.pending
                if owed:
                    self._send_all()
                if more is None:
                    self._receive()
                elif not more:
                    raise ended()
                else:
                    have += more
        return bytes(data)

    def write(self, *pieces: bytes) -> None:
        if sum(map(len, pieces)) <= JOINED_BYTES:
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
            raise ended()
        with self._thinking:
            self._arrived.write(data)

    def _send_all(self) -> None:
        with self._sending:
            with self._thinking:
                data = self._leaving.read()
            if data:
                self._peer.sendall(data)
