"""A connection for batches to one actor, past Ray's calls."""

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress
from hmac import compare_digest

from farm.core.errors import NodeLostError
from farm.core.frames import PROOF_BYTES, Endpoint, FrameDecoder, encode_head
from farm.core.host_tls import HostTls, machine_of

# Above it several writes cost less than a copy.
_JOINED_BYTES = 64 << 10


class ConnectionEndedError(NodeLostError):
    """The connection to an actor ended before a reply came; the actor may live."""


class BatchChannel(asyncio.Protocol):
    """Batches out, replies in, matched by number. It is used on one event loop."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._decoder = FrameDecoder()
        self._transport: asyncio.Transport | None = None
        # The actor's half of the secret as it comes; frames follow it.
        self._proof = b""
        self._greeted: asyncio.Future[None] = loop.create_future()
        self._number = 0
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        # Done once the connection has ended.
        self.ended: asyncio.Future[None] = loop.create_future()

    @classmethod
    async def open(
        cls, endpoint: Endpoint, *, tls: HostTls | None = None, machine: str = ""
    ) -> "BatchChannel":
        """Connect to an actor; with `tls` encrypted, and only to the `machine` of that name.

        Raises:
            OSError: it cannot be reached, or another answers in its place.
        """
        loop = asyncio.get_running_loop()
        transport, channel = await loop.create_connection(
            lambda: cls(endpoint),
            endpoint.host,
            endpoint.port,
            ssl=tls.calling() if tls is not None else None,
            server_hostname=endpoint.host if tls is not None else None,
        )
        try:
            if tls is not None:
                found = machine_of(transport.get_extra_info("peercert"))
                if found != machine:
                    raise ConnectionError(f"its certificate is that of '{found}'")
            channel._greet()
            await channel._greeted
        except BaseException:
            channel.close()
            raise
        return channel

    def _greet(self) -> None:
        """Prove that this gateway was told the secret; whoever has the port hears it."""
        if self._transport is not None:
            self._transport.write(self._endpoint.of_gateway)

    @property
    def usable(self) -> bool:
        return not self.ended.done()

    def send(self, parts: Sequence[bytes]) -> "asyncio.Future[bytes]":
        """Send a batch; return what will be its reply, or `ConnectionEndedError`."""
        self._number += 1
        reply: asyncio.Future[bytes] = self._loop.create_future()
        if self._transport is None or not self.usable:
            reply.set_exception(_lost())
            return reply
        self._waiting[self._number] = reply
        head = encode_head(self._number, parts)
        if sum(map(len, parts)) <= _JOINED_BYTES:
            self._transport.write(b"".join((head, *parts)))
        else:
            for piece in (head, *parts):
                self._transport.write(piece)
        return reply

    def close(self) -> None:
        """End the connection; what waits for a reply gets `ConnectionEndedError`."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):  # pragma: no cover
            raise TypeError
        self._transport = transport
        peer: socket.socket = transport.get_extra_info("socket")
        with suppress(OSError):
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def data_received(self, data: bytes) -> None:
        if not self._greeted.done():
            self._proof += data
            if len(self._proof) < PROOF_BYTES:
                return
            proof, data = self._proof[:PROOF_BYTES], self._proof[PROOF_BYTES:]
            if not compare_digest(proof, self._endpoint.of_actor):
                self._greeted.set_exception(ConnectionError("another process has its port"))
                self.close()
                return
            self._greeted.set_result(None)
        for frame in self._decoder.feed(data):
            reply = self._waiting.pop(frame.number, None)
            if reply is not None and not reply.done():
                reply.set_result(frame.parts[0])

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._greeted.done():
            self._greeted.set_exception(ConnectionError("the actor ended the connection"))
        self.ended.set_result(None)
        for reply in self._waiting.values():
            if not reply.done():
                reply.set_exception(_lost())
        self._waiting.clear()


def _lost() -> ConnectionEndedError:
    return ConnectionEndedError("the connection to its actor ended")
