"""A closed-loop load generator over one stream: the same bytes again.

The counterpart of `benchmarks.load`: as many requests as asked for are kept in flight on one
ModelStreamInfer call. `benchmarks.generators` runs it and describes what it prints.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Any

import grpc

from benchmarks.load import Seen, run


def _start(
    channel: grpc.aio.Channel, given: argparse.Namespace, seen: Seen
) -> Sequence[Awaitable[None]]:
    room = asyncio.Semaphore(given.concurrency)
    request = given.request.read_bytes()

    async def requests() -> AsyncIterator[bytes]:
        while True:
            await room.acquire()
            if seen.stopping:
                return
            yield request

    async def read() -> None:
        # Without serialisers gRPC takes and gives bytes.
        call: Any = channel.stream_stream(given.method)(requests())
        try:
            async for answer in call:
                room.release()
                seen.replied(answer)
        except grpc.aio.AioRpcError as error:
            seen.failed(error)

    return [read()]


if __name__ == "__main__":
    run(_start, __doc__)
