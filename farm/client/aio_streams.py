"""One bidirectional call that carries many requests, for asyncio."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

import grpc

from farm.client.calls import AsyncCalls, raise_if_closed
from farm.client.datatypes import AnyArray
from farm.client.errors import of_call
from farm.client.in_flight import InFlight
from farm.client.results import StreamAnswer

Requests = Iterable[Mapping[str, AnyArray]] | AsyncIterable[Mapping[str, AnyArray]]


async def stream_answers(
    calls: AsyncCalls,
    requests: Requests,
    in_flight: InFlight,
    *,
    window: int,
    timeout_s: float | None,
) -> AsyncGenerator[StreamAnswer, None]:
    """Send `requests` and yield their answers as they come.

    What the source raises is raised here. Closing the iterator cancels the call.
    """
    call = calls.open("ModelStreamInfer", None, timeout_s)
    slots = asyncio.Semaphore(window)
    sender = asyncio.create_task(_send(call, requests, in_flight, slots), name="stream requests")
    try:
        while True:
            response = await call.read()
            if response is grpc.aio.EOF:  # type: ignore[attr-defined]
                break
            answer = in_flight.settle(response)
            slots.release()
            yield answer
    except grpc.aio.AioRpcError as failed:
        _raise_failure(sender)
        raise of_call(failed, calls.address) from failed
    except asyncio.CancelledError:
        _raise_failure(sender)
        raise_if_closed()
        raise
    finally:
        call.cancel()
        sender.cancel()
        await asyncio.gather(sender, return_exceptions=True)
    # The server may have ended the stream before it heard of the source's failure.
    _raise_failure(sender)
    in_flight.check_complete(calls.address)


async def _send(
    call: Any, requests: Requests, in_flight: InFlight, slots: asyncio.Semaphore
) -> None:
    """Send everything, then close this side; on the source's error cancel the call."""
    take = _taker(requests)
    while True:
        await slots.acquire()
        try:
            inputs = await take()
            if inputs is None:
                break
            message = in_flight.send(inputs)
        except Exception:
            call.cancel()
            raise
        # A stream that broke tells its reader.
        try:
            await call.write(message)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return
    in_flight.sent_all()
    with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
        await call.done_writing()


def _taker(requests: Requests) -> Callable[[], Awaitable[Mapping[str, AnyArray] | None]]:
    """Return what gives the next request of either kind of source, and None after the last."""
    if isinstance(requests, AsyncIterable):
        asynchronous = aiter(requests)

        async def take() -> Mapping[str, AnyArray] | None:
            return await anext(asynchronous, None)

    else:
        iterator = iter(requests)

        async def take() -> Mapping[str, AnyArray] | None:
            return next(iterator, None)

    return take


def _raise_failure(sender: "asyncio.Task[None]") -> None:
    """Raise what the source raised, if it did, which also cancelled the call."""
    if sender.done() and not sender.cancelled() and (failure := sender.exception()) is not None:
        raise failure from None
