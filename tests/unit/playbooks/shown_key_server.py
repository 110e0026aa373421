"""A server on loopback that shows an SSH host key and goes no further."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import paramiko


class KeyServer:
    """Shows `keys`, which tests may change between connections."""

    def __init__(self, *keys: paramiko.PKey) -> None:
        self.keys = list(keys)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._served: list[paramiko.Transport] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        # Closing alone would not wake who waits in `accept`.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for transport in self._served:
            transport.close()
            transport.join()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(peer)
            for key in self.keys:
                transport.add_server_key(key)
            self._served.append(transport)
            with suppress(paramiko.SSHException, EOFError, OSError):
                transport.start_server(event=threading.Event(), server=paramiko.ServerInterface())


@contextmanager
def key_server(*keys: paramiko.PKey) -> Iterator[KeyServer]:
    server = KeyServer(*keys)
    try:
        yield server
    finally:
        server.close()
