"""How a load generator's requests travel: a call each, or all over one stream."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol, Self

import grpc

from farm.client.channel import inference_methods, open_aio_channel
from farm.client.errors import of_call, of_stream
from farm.client.tls import ClientTls
from farm.client.tokens import shown_token
from farm.core.errors import DeadlineExceededError, FarmError, UnreachableError
from farm.pb.open_inference_pb2 import ModelInferResponse

# Field 3, length-delimited: a request's `id`. Of two values of a field the last one counts, so
# appending it numbers a message without encoding its tensors again.
_ID_TAG = b"\x1a"


class Transport(Protocol):
    """Sends an encoded request and waits for its answer; raises `FarmError`."""

    async def send(self, message: bytes, timeout_s: float) -> ModelInferResponse: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class UnaryTransport:
    """One call of ModelInfer a request."""

    def __init__(self, address: str, tls: ClientTls | None, token: str | None) -> None:
        method = inference_methods()["ModelInfer"]
        self._address = address
        self._shown = shown_token(token, address, tls)
        self._channel = open_aio_channel(address, tls)
        self._call: Callable[..., Any] = self._channel.unary_unary(
            method.path,
            request_serializer=None,
            response_deserializer=method.response_type.FromString,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._channel.close(None)

    async def send(self, message: bytes, timeout_s: float) -> ModelInferResponse:
        try:
            response: ModelInferResponse = await self._call(
                message, timeout=timeout_s, metadata=self._shown
            )
        except grpc.aio.AioRpcError as failed:
            raise of_call(failed, self._address) from failed
        return response


class StreamTransport:
    """One call of ModelStreamInfer for all requests; a task reads the answers.

    When the stream breaks, everything in flight and everything after fails with its error.
    """

    def __init__(self, address: str, tls: ClientTls | None, token: str | None) -> None:
        method = inference_methods()["ModelStreamInfer"]
        self._address = address
        self._shown = shown_token(token, address, tls)
        self._channel = open_aio_channel(address, tls)
        self._open: Callable[..., Any] = self._channel.stream_stream(
            method.path,
            request_serializer=None,
            response_deserializer=method.response_type.FromString,
        )
        self._call: Any = None
        self._reader: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()
        self._waiting: dict[str, asyncio.Future[ModelInferResponse]] = {}
        self._next = 0
        self._broken: FarmError | None = None

    async def __aenter__(self) -> Self:
        self._call = self._open(metadata=self._shown)
        self._reader = asyncio.create_task(self._read(), name="answers of a stream")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._call.cancel()
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        await self._channel.close(None)

    async def send(self, message: bytes, timeout_s: float) -> ModelInferResponse:
        number = str(self._next)
        self._next += 1
        answer: asyncio.Future[ModelInferResponse] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            async with asyncio.timeout(timeout_s):
                await self._write(message + _ID_TAG + bytes([len(number)]) + number.encode())
                return await answer
        except TimeoutError as error:
            raise DeadlineExceededError(
                f"no answer in the stream within {timeout_s:g} s"
            ) from error
        finally:
            del self._waiting[number]
            if answer.done() and not answer.cancelled():
                # Where the stream broke while this request waited to be written, nobody else
                # asks for it.
                answer.exception()

    async def _write(self, message: bytes) -> None:
        async with self._writing:
            if self._broken is not None:
                raise self._broken
            try:
                await self._call.write(message)
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError) as error:
                raise UnreachableError(f"the stream to {self._address} broke") from error

    async def _read(self) -> None:
        try:
            while True:
                response = await self._call.read()
                if response is grpc.aio.EOF:  # type: ignore[attr-defined]
                    self._break(UnreachableError(f"{self._address} ended the stream"))
                    return
                answer = self._waiting.get(response.infer_response.id)
                if answer is None or answer.done():
                    continue
                if response.error_message:
                    answer.set_exception(of_stream(response))
                else:
                    answer.set_result(response.infer_response)
        except grpc.aio.AioRpcError as failed:
            self._break(of_call(failed, self._address))

    def _break(self, error: FarmError) -> None:
        self._broken = error
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(error)
