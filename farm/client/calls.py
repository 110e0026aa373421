"""Calls of a gateway's methods, with deadlines, retries and the farm's own errors."""

import asyncio
import time
from collections.abc import Callable, Generator
from typing import Any, TypeAlias

import grpc

from farm.client.channel import (
    admin_methods,
    inference_methods,
    open_aio_channel,
    open_channel,
)
from farm.client.errors import of_call
from farm.client.methods import Answer, Request, Rpc
from farm.client.retries import retry_delay_s, spread
from farm.client.tls import ClientTls
from farm.client.tokens import shown_token
from farm.core.errors import ConfigurationError, FarmError, RequestCancelledError
from farm.core.tracing import TRACE_PARENT

# Names and values that go with a call, beside its request.
Metadata: TypeAlias = tuple[tuple[str, str], ...]

_CLOSED = "this client is closed; make a new one"


class BlockingCalls:
    """A channel that threads may share, and every method of both services by name.

    Unary calls are tried again up to `retries` times, so they must be safe to repeat.
    """

    def __init__(
        self, address: str, tls: ClientTls | None, retries: int, *, token: str | None = None
    ) -> None:
        self.address = address
        self._retries = _checked(retries)
        self._shown = shown_token(token, address, tls)
        self._channel = open_channel(address, tls)
        self._calls = _multicallables(self._channel)

    def close(self) -> None:
        """Close the channel; calls in flight end as cancelled. Safe to repeat."""
        self._channel.close()

    def unary(
        self,
        method: Rpc[Request, Answer],
        request: Request,
        timeout_s: float | None,
        *,
        metadata: Metadata = (),
    ) -> Answer:
        """Call a method and return its answer.

        Raises:
            FarmError: the server refused, did not answer, or the client is closed.
        """
        deadline = _Deadline(timeout_s)
        attempt = 0
        while True:
            try:
                answer: Answer = self.open(method.name, request, deadline.left_s(), metadata)
                return answer
            except grpc.RpcError as failed:
                error = of_call(failed, self.address)
                wait_s = _wait_s(error, attempt, self._retries, deadline)
                if wait_s is None:
                    raise error from failed
            time.sleep(wait_s)
            attempt += 1

    def stream(
        self, method: Rpc[Request, Answer], request: Request, timeout_s: float | None
    ) -> Generator[Answer, None, None]:
        """Yield the answers of a method; closing the iterator cancels the call."""
        call = self.open(method.name, request, timeout_s)
        try:
            yield from call
        except grpc.RpcError as failed:
            raise of_call(failed, self.address) from failed
        finally:
            call.cancel()

    def open(
        self, name: str, request: object, timeout_s: float | None, metadata: Metadata = ()
    ) -> Any:
        """Call a method once and return what gRPC returns, or raise what gRPC raises."""
        try:
            return self._calls[name](request, timeout=timeout_s, metadata=(*self._shown, *metadata))
        except ValueError as error:
            raise RequestCancelledError(_CLOSED) from error


class AsyncCalls:
    """The same for one event loop."""

    def __init__(
        self, address: str, tls: ClientTls | None, retries: int, *, token: str | None = None
    ) -> None:
        self.address = address
        self._retries = _checked(retries)
        self._shown = shown_token(token, address, tls)
        self._channel = open_aio_channel(address, tls)
        self._calls = _multicallables(self._channel)

    async def close(self) -> None:
        """Close the channel; calls in flight end as cancelled. Safe to repeat."""
        await self._channel.close(None)

    async def unary(
        self,
        method: Rpc[Request, Answer],
        request: Request,
        timeout_s: float | None,
        *,
        metadata: Metadata = (),
    ) -> Answer:
        """Call a method and return its answer.

        Raises:
            FarmError: the server refused, did not answer, or the client is closed.
        """
        deadline = _Deadline(timeout_s)
        attempt = 0
        while True:
            try:
                answer: Answer = await self.open(method.name, request, deadline.left_s(), metadata)
                return answer
            except grpc.aio.AioRpcError as failed:
                error = of_call(failed, self.address)
                wait_s = _wait_s(error, attempt, self._retries, deadline)
                if wait_s is None:
                    raise error from failed
            except asyncio.CancelledError:
                raise_if_closed()
                raise
            await asyncio.sleep(wait_s)
            attempt += 1

    def open(
        self, name: str, request: object, timeout_s: float | None, metadata: Metadata = ()
    ) -> Any:
        """Begin a call and return gRPC's object for it."""
        call = self._calls[name]
        arguments = () if request is None else (request,)
        try:
            return call(*arguments, timeout=timeout_s, metadata=(*self._shown, *metadata))
        except grpc.aio.UsageError as error:
            raise RequestCancelledError(_CLOSED) from error


def raise_if_closed() -> None:
    """Turn gRPC's cancellation of a call into an error, unless it is this task's own.

    A channel that is closed cancels its calls as if their tasks had been cancelled.

    Raises:
        RequestCancelledError: nobody has cancelled the current task.
    """
    task = asyncio.current_task()
    if task is not None and not task.cancelling():
        raise RequestCancelledError(_CLOSED) from None


def of_trace(trace_parent: str) -> Metadata:
    """Return what tells a gateway whose trace a call continues."""
    return ((TRACE_PARENT, trace_parent),) if trace_parent else ()


class _Deadline:
    """What is left of a call's time over all of its attempts."""

    def __init__(self, timeout_s: float | None) -> None:
        self._at = None if timeout_s is None else time.monotonic() + timeout_s

    def left_s(self) -> float | None:
        return None if self._at is None else max(self._at - time.monotonic(), 0.0)


def _wait_s(error: FarmError, attempt: int, retries: int, deadline: _Deadline) -> float | None:
    return retry_delay_s(
        error, attempt=attempt, retries=retries, time_left_s=deadline.left_s(), spread=spread()
    )


def _checked(retries: int) -> int:
    if retries < 0:
        raise ConfigurationError(f"retries must be 0 or more, not {retries}")
    return retries


def _multicallables(channel: Any) -> dict[str, Callable[..., Any]]:
    found = {}
    for method in (*inference_methods().values(), *admin_methods().values()):
        open_call = getattr(
            channel,
            f"{'stream' if method.client_streaming else 'unary'}"
            f"_{'stream' if method.server_streaming else 'unary'}",
        )
        found[method.name] = open_call(
            method.path,
            request_serializer=method.request_type.SerializeToString,
            response_deserializer=method.response_type.FromString,
        )
    return found
