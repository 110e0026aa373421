"""A wire between clients and a gateway that can be cut in mid-answer, or stop carrying answers."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Self

_CHUNK_BYTES: Final = 16 << 10
_TRICKLE_S: Final = 1.0

# After how many bytes of answers the next connection is cut; None where it is not.
NextCut = Callable[[], int | None]


class Relay:
    """Carries TCP connections from `address`, on loopback, to a target until the block ends.

    What clients send always passes. Answers pass while the wire is `flowing`, and once it is
    `trickling` a byte a second. A connection for which `next_cut` has told a number of bytes is
    reset once it has carried that many of answers; `cuts` counts those.
    """

    def __init__(self, target: str, *, next_cut: NextCut = lambda: None) -> None:
        host, _, port = target.rpartition(":")
        self._host, self._port = host, int(port)
        self._next_cut = next_cut
        self.trickling = False
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.cuts = 0
        self._carrying: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._begin, "127.0.0.1", 0, backlog=1024)
        host, port = self._server.sockets[0].getsockname()
        self.address = f"{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._carrying:
            task.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._carry(reader, writer))
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer]
        try:
            # What the wire itself holds is little, so that a gateway notices at once.
            there, back = await asyncio.open_connection(self._host, self._port, limit=_CHUNK_BYTES)
            ends.append(back)
            ways = [
                asyncio.create_task(_carry_all(reader, back)),
                asyncio.create_task(self._answers(there, writer)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except ConnectionError:
            return
        finally:
            for end in ends:
                # Reset, not closed: what is under way is lost, as on a wire that breaks.
                end.transport.abort()

    async def _answers(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        left_bytes = self._next_cut()
        with suppress(ConnectionError):
            while await self.flowing.wait() and (data := await there.read(self._piece_bytes())):
                if left_bytes is not None:
                    data = data[:left_bytes]
                    left_bytes -= len(data)
                writer.write(data)
                await writer.drain()
                if left_bytes == 0:
                    self.cuts += 1
                    return
                if self.trickling:
                    await asyncio.sleep(_TRICKLE_S)

    def _piece_bytes(self) -> int:
        return 1 if self.trickling else _CHUNK_BYTES


async def _carry_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(_CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
