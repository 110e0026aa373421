"""The interceptor in front of every method: who may call, what may come out.

It also takes over parsing. gRPC answers bytes that do not parse with UNKNOWN and the
exception's text before any servicer runs, so handlers get the raw bytes and parse here.
"""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NoReturn

import grpc

from farm.core.acts import Act
from farm.core.errors import ErrorCode, FarmError, InvalidRequestError, PermissionDeniedError
from farm.frontend.acts import Acts
from farm.frontend.failures import as_farm_error, bounded_message
from farm.frontend.grpc_types import Context, Handler, Interceptor
from farm.frontend.peers import is_loopback, operates
from farm.frontend.status import STATUS, trailers
from farm.pb.services import ADMIN_SERVICE, INFERENCE_SERVICE

# Methods that change the farm or show its insides.
_CONTROL_METHODS = frozenset(
    f"/{INFERENCE_SERVICE}/{name}"
    for name in ("RepositoryModelLoad", "RepositoryModelUnload", "LogSettings")
)

# Streams that one bad message does not end: their servicer is given the error in its place.
_OUTLIVE_ERRORS = frozenset({f"/{INFERENCE_SERVICE}/ModelStreamInfer"})


def is_control(method: str) -> bool:
    """Whether a method is refused to peers that are neither operators nor on loopback."""
    return method.startswith(f"/{ADMIN_SERVICE}/") or method in _CONTROL_METHODS


class Guard(Interceptor):
    """Wraps every handler once; errors leave it as a status and a message of the farm's.

    `farm` is the one whose operators may call the control methods. `on_error` is told the code
    of each error, `on_act` every call that was to change the farm. `last_call_at` is when the
    last call came in, on the loop's clock.
    """

    def __init__(
        self,
        *,
        farm: str,
        on_error: Callable[[ErrorCode], None],
        on_act: Callable[[Act], None],
    ) -> None:
        self._farm = farm
        self._on_error = on_error
        self._acts = Acts(farm=farm, tell=on_act)
        self._wrapped: dict[str, Handler] = {}
        self.last_call_at = 0.0

    async def intercept_service(  # type: ignore[override]  # the stubs forget unknown methods
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        self.last_call_at = asyncio.get_running_loop().time()
        method = handler_call_details.method
        wrapped = self._wrapped.get(method)
        if wrapped is None:
            handler = await continuation(handler_call_details)
            if handler is None:
                return None
            wrapped = self._wrapped[method] = _Guarded(
                method, handler, farm=self._farm, on_error=self._on_error, acts=self._acts
            ).handler()
        return wrapped


class _Guarded:
    """One method behind the guard: admitted, parsed, and its errors told in the farm's words."""

    def __init__(
        self,
        method: str,
        handler: Handler,
        *,
        farm: str,
        on_error: Callable[[ErrorCode], None],
        acts: Acts,
    ) -> None:
        self._method = method
        self._farm = farm
        self._handler = handler
        self._behaviour: Any = acts.watched(
            method, handler.unary_unary or handler.unary_stream or handler.stream_stream
        )
        self._on_error = on_error
        self._acts = acts

    def handler(self) -> Handler:
        """Return the handler that gRPC calls; it gets requests as bytes."""
        serialise = self._handler.response_serializer
        if self._handler.unary_unary is not None:
            return grpc.unary_unary_rpc_method_handler(self._unary, response_serializer=serialise)
        if self._handler.stream_stream is not None:
            return grpc.stream_stream_rpc_method_handler(self._both, response_serializer=serialise)
        yields = inspect.isasyncgenfunction(self._behaviour)
        return grpc.unary_stream_rpc_method_handler(
            self._stream if yields else self._writer, response_serializer=serialise
        )

    async def _unary(self, raw: bytes, context: Context) -> Any:
        try:
            return await self._behaviour(self._admit(raw, context), context)
        except Exception as error:
            await self._abort(error, context)

    async def _stream(self, raw: bytes, context: Context) -> AsyncIterator[Any]:
        try:
            async for response in self._behaviour(self._admit(raw, context), context):
                yield response
        except Exception as error:
            await self._abort(error, context)

    async def _writer(self, raw: bytes, context: Context) -> None:
        """Serve a method that writes its answers itself, as gRPC's own health service does."""
        try:
            await self._behaviour(self._admit(raw, context), context)
        except Exception as error:
            await self._abort(error, context)

    async def _both(self, raws: AsyncIterator[bytes], context: Context) -> AsyncIterator[Any]:
        try:
            self._authorise(context)
            async for response in self._behaviour(self._parsed(raws), context):
                yield response
        except Exception as error:
            await self._abort(error, context)

    async def _parsed(self, raws: AsyncIterator[bytes]) -> AsyncIterator[Any]:
        async for raw in raws:
            try:
                request = self._parse(raw)
            except InvalidRequestError as error:
                if self._method not in _OUTLIVE_ERRORS:
                    raise
                yield error
            else:
                yield request

    def _admit(self, raw: bytes, context: Context) -> Any:
        try:
            self._authorise(context)
            return self._parse(raw)
        except FarmError as error:
            self._acts.refused(self._method, context, error)
            raise

    def _authorise(self, context: Context) -> None:
        if not is_control(self._method) or is_loopback(context.peer()):
            return
        if not operates(context, self._farm):
            raise PermissionDeniedError(
                f"{self._method} is for operators: call it on the gateway's own machine, or with"
                f" the certificate of an operator of '{self._farm}' (`farm certs issue --operator`"
                " makes one)"
            )

    def _parse(self, raw: bytes) -> Any:
        parse = self._handler.request_deserializer
        if parse is None:
            return raw
        try:
            return parse(raw)
        except FarmError:
            raise
        except Exception as error:
            raise InvalidRequestError(
                f"the message is not a valid request of {self._method}; is the client's protocol"
                " the Open Inference Protocol v2?"
            ) from error

    async def _abort(self, error: Exception, context: Context) -> NoReturn:
        known = as_farm_error(self._method, error)
        self._on_error(known.code)
        await context.abort(STATUS[known.code], bounded_message(known), trailers(known))
        raise AssertionError  # abort never returns
