"""Takes batches over connections of their own, each from one gateway, past Ray's calls."""

import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from hmac import compare_digest
from threading import Lock, Semaphore, Thread
from time import sleep

from farm.core.frames import (
    HEAD,
    LENGTH_BYTES,
    PROOF_BYTES,
    Endpoint,
    Frame,
    decode_lengths,
    encode_head,
)
from farm.core.host_tls import HostTls, machine_of
from farm.node.byte_stream import ByteStream, PlainStream, tune

# A peer that says nothing, and how many of them may do so at once.
_GREETING_S = 5.0
_MAX_GREETINGS = 8

# After an accept that failed, lest one that keeps failing takes a core.
_PAUSE_S = 0.1

# `NodeService.infer`: a batch's head and tensors to a reply; it raises nothing.
Infer = Callable[..., bytes]


class Intake:
    """Listens on the addresses that it was asked for, from the first time it is asked.

    `callers` batches of a gateway may be under way at once; further ones wait in its socket.
    It listens on `port`, 0 for whatever is free. With `tls` all is encrypted, and only the
    farm's own machines get in.
    """

    def __init__(
        self, infer: Infer, *, callers: int, port: int = 0, tls: HostTls | None = None
    ) -> None:
        self._infer = infer
        self._callers = callers
        self._port = port
        self._tls = tls
        self._proofs = secrets.token_bytes(PROOF_BYTES), secrets.token_bytes(PROOF_BYTES)
        self._greetings = Semaphore(_MAX_GREETINGS)
        # Guards the rest.
        self._lock = Lock()
        self._listeners: dict[str, socket.socket] = {}

    def listen(self, host: str) -> Endpoint:
        """Return where on `host`, an address of this machine, a gateway may connect.

        Raises:
            OSError: it is none, or another program has the port.
        """
        with self._lock:
            listener = self._listeners.get(host)
            if listener is None:
                family = socket.AF_INET6 if ":" in host else socket.AF_INET
                address = host, self._port
                listener = self._listeners[host] = socket.create_server(address, family=family)
                _start(self._accept, listener)
        return Endpoint(host, listener.getsockname()[1], *self._proofs)

    def close(self) -> None:
        """Take no more connections. Those that are open end with their gateways."""
        with self._lock:
            for listener in self._listeners.values():
                # Closing alone would not wake the thread that accepts.
                with suppress(OSError):
                    listener.shutdown(socket.SHUT_RDWR)
                listener.close()
            self._listeners.clear()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                if listener.fileno() < 0:
                    return
                # The peer gave up before it was accepted, or no more files may be opened.
                sleep(_PAUSE_S)
                continue
            if self._greetings.acquire(blocking=False):
                _start(self._greet, peer)
            else:
                peer.close()

    def _greet(self, peer: socket.socket) -> None:
        of_gateway, of_actor = self._proofs
        try:
            peer.settimeout(_GREETING_S)
            stream = self._stream(peer)
            if not compare_digest(stream.read(PROOF_BYTES), of_gateway):
                raise ConnectionError("it was not told the secret")
            stream.write(of_actor)
            peer.settimeout(None)
            tune(peer)
        except OSError:
            peer.close()
            return
        finally:
            self._greetings.release()
        connection = _Connection(stream, self._infer, threads=self._callers)
        for _ in range(self._callers):
            _start(connection.serve)

    def _stream(self, peer: socket.socket) -> ByteStream:
        if self._tls is None:
            return PlainStream(peer)
        from farm.node.encrypted_stream import EncryptedStream

        # Read anew for each gateway: an actor lives longer than its machine's certificate.
        stream = EncryptedStream(peer, self._tls.serving(), handshake_s=_GREETING_S)
        if machine_of(stream.certificate) is None:
            raise ConnectionError("it is not a machine of the farm")
        return stream


class _Connection:
    """One gateway's batches.

    Its threads take turns to read: whoever has read a batch runs it and writes the reply
    itself, so that no batch waits for one thread to wake another.
    """

    def __init__(self, stream: ByteStream, infer: Infer, *, threads: int) -> None:
        self._stream = stream
        self._infer = infer
        self._reading = Lock()
        self._writing = Lock()
        self._leaving = Lock()
        self._threads = threads

    def serve(self) -> None:
        """Run batches until the connection ends."""
        try:
            while True:
                with self._reading:
                    frame = _read_frame(self._stream)
                self._reply(frame.number, self._infer(*frame.parts))
        except OSError:
            # Wakes the others, if only this side is done with the connection.
            self._stream.end()
        finally:
            with self._leaving:
                self._threads -= 1
                if not self._threads:
                    self._stream.close()

    def _reply(self, number: int, reply: bytes) -> None:
        head = encode_head(number, (reply,))
        with self._writing:
            self._stream.write(head, reply)


def _read_frame(stream: ByteStream) -> Frame:
    number, count = HEAD.unpack(stream.read(HEAD.size))
    lengths = decode_lengths(stream.read(count * LENGTH_BYTES))
    return Frame(number, tuple(stream.read(length) for length in lengths))


def _start(run: Callable[..., None], *arguments: object) -> None:
    """Run on a thread that does not keep the process alive."""
    Thread(target=run, args=arguments, daemon=True).start()
