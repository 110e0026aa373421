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

# A peer that says nothing, and how many of them may do so at once.
_GREETING_S = 5.0
_MAX_GREETINGS = 8

# After an accept that failed, lest one that keeps failing takes a core.
_PAUSE_S = 0.1

# A gateway that is gone without a word is noticed after about half a minute.
_KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 4, "TCP_USER_TIMEOUT": 30_000}

# Above it two writes cost less than a copy.
_JOINED_BYTES = 64 << 10

# `NodeService.infer`: a batch's head and tensors to a reply; it raises nothing.
Infer = Callable[..., bytes]


class Intake:
    """Listens on the addresses that it was asked for, from the first time it is asked.

    `callers` batches of a gateway may be under way at once; further ones wait in its socket.
    """

    def __init__(self, infer: Infer, *, callers: int) -> None:
        self._infer = infer
        self._callers = callers
        self._proofs = secrets.token_bytes(PROOF_BYTES), secrets.token_bytes(PROOF_BYTES)
        self._greetings = Semaphore(_MAX_GREETINGS)
        # Guards the rest.
        self._lock = Lock()
        self._listeners: dict[str, socket.socket] = {}

    def listen(self, host: str) -> Endpoint:
        """Return where on `host`, an address of this machine, a gateway may connect.

        Raises:
            OSError: it is none.
        """
        with self._lock:
            listener = self._listeners.get(host)
            if listener is None:
                family = socket.AF_INET6 if ":" in host else socket.AF_INET
                listener = self._listeners[host] = socket.create_server((host, 0), family=family)
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
            if not compare_digest(_read(peer, PROOF_BYTES), of_gateway):
                peer.close()
                return
            peer.sendall(of_actor)
            peer.settimeout(None)
            _tune(peer)
        except OSError:
            peer.close()
            return
        finally:
            self._greetings.release()
        connection = _Connection(peer, self._infer, threads=self._callers)
        for _ in range(self._callers):
            _start(connection.serve)


class _Connection:
    """One gateway's batches.

    Its threads take turns to read: whoever has read a batch runs it and writes the reply
    itself, so that no batch waits for one thread to wake another.
    """

    def __init__(self, peer: socket.socket, infer: Infer, *, threads: int) -> None:
        self._peer = peer
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
                    frame = _read_frame(self._peer)
                self._reply(frame.number, self._infer(*frame.parts))
        except OSError:
            # Wakes the others, if only this side is done with the connection.
            with suppress(OSError):
                self._peer.shutdown(socket.SHUT_RDWR)
        finally:
            with self._leaving:
                self._threads -= 1
                if not self._threads:
                    self._peer.close()

    def _reply(self, number: int, reply: bytes) -> None:
        head = encode_head(number, (reply,))
        with self._writing:
            if len(reply) <= _JOINED_BYTES:
                self._peer.sendall(head + reply)
            else:
                self._peer.sendall(head)
                self._peer.sendall(reply)


def _read_frame(peer: socket.socket) -> Frame:
    number, count = HEAD.unpack(_read(peer, HEAD.size))
    lengths = decode_lengths(_read(peer, count * LENGTH_BYTES))
    return Frame(number, tuple(_read(peer, length) for length in lengths))


def _read(peer: socket.socket, count: int) -> bytes:
    """Return so many bytes.

    Raises:
        OSError: the connection ends before.
    """
    data = peer.recv(count, socket.MSG_WAITALL) if count else b""
    while len(data) < count:
        more = peer.recv(count - len(data), socket.MSG_WAITALL)
        if not more:
            raise ConnectionError("the peer ended the connection")
        data += more
    return data


def _tune(peer: socket.socket) -> None:
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        # Not every system has each of them.
        if hasattr(socket, name):
            peer.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _start(run: Callable[..., None], *arguments: object) -> None:
    """Run on a thread that does not keep the process alive."""
    Thread(target=run, args=arguments, daemon=True).start()
