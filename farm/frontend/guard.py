"""The interceptor in front of every method: who may call, what may come out.

It also takes over parsing. gRPC answers bytes that do not parse with UNKNOWN and the
exception's text before any servicer runs, so handlers get the raw bytes and parse here.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, NoReturn

import grpc

from farm.core.acts import Act
from farm.core.errors import (
    ErrorCode,
    FarmError,
    InvalidRequestError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from farm.core.roles import Role
from farm.frontend.acts import Acts
from farm.frontend.callers import Caller, Callers, begin_call, calling
from farm.frontend.failures import as_farm_error, bounded_message
from farm.frontend.grpc_types import Context, Handler, Interceptor
from farm.frontend.open_calls import OpenCalls
from farm.frontend.peers import place_of
from farm.frontend.permissions import role_for, role_for_request
from farm.frontend.status import STATUS, trailers
from farm.pb.services import INFERENCE_SERVICE

# Streams that one bad message does not end: their servicer is given the error in its place.
_OUTLIVE_ERRORS = frozenset({f"/{INFERENCE_SERVICE}/ModelStreamInfer"})


def _source(caller: Caller | None) -> str:
    """Return with whom a refused caller counts as one.

    Addresses, and ports on this machine, are to be had in any number; what is shown and good is
    not. Whoever shows what is good no more is a stranger.
    """
    if caller is None or caller.role is None:
        return "strangers"
    return caller.client_key if caller.certificate or caller.token else "this machine"


class Guard(Interceptor):
    """Wraps every handler once; errors leave it as a status and a message of the farm's.

    `callers` say who calls. `on_error` is told the code of each error, `on_act` every call that
    was to change the farm. `calls` are those that came in.
    """

    def __init__(
        self,
        *,
        callers: Callers,
        on_error: Callable[[ErrorCode], None],
        on_act: Callable[[Act], None],
    ) -> None:
        self._callers = callers
        self._on_error = on_error
        self._acts = Acts(farm=callers.farm, tell=on_act)
        self._wrapped: dict[str, Handler] = {}
        self.calls = OpenCalls()

    async def intercept_service(  # type: ignore[override]  # the stubs forget unknown methods
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        self.calls.arrived()
        method = handler_call_details.method
        wrapped = self._wrapped.get(method)
        if wrapped is None:
            handler = await continuation(handler_call_details)
            if handler is None:
                return None
            wrapped = self._wrapped[method] = _Guarded(
                method,
                handler,
                callers=self._callers,
                on_error=self._on_error,
                acts=self._acts,
                calls=self.calls,
            ).handler()
        return wrapped


class _Guarded:
    """One method behind the guard: admitted, parsed, and its errors told in the farm's words."""

    def __init__(
        self,
        method: str,
        handler: Handler,
        *,
        callers: Callers,
        on_error: Callable[[ErrorCode], None],
        acts: Acts,
        calls: OpenCalls,
    ) -> None:
        self._method = method
        self._callers = callers
        self._handler = handler
        self._behaviour: Any = acts.watched(
            method, handler.unary_unary or handler.unary_stream or handler.stream_stream
        )
        self._on_error = on_error
        self._acts = acts
        self._calls = calls

    def handler(self) -> Handler:
        """Return the handler that gRPC calls; it gets requests as bytes."""
        serialise = self._handler.response_serializer
        if self._handler.unary_unary is not None:
            return grpc.unary_unary_rpc_method_handler(self._unary, response_serializer=serialise)
        if self._handler.stream_stream is not None:
            return grpc.stream_stream_rpc_method_handler(self._both, response_serializer=serialise)
        return grpc.unary_stream_rpc_method_handler(self._stream, response_serializer=serialise)

    async def _unary(self, raw: bytes, context: Context) -> Any:
        self._calls.opened(context)
        try:
            return await self._behaviour(self._admit(raw, context), context)
        except Exception as error:
            await self._abort(error, context)

    async def _stream(self, raw: bytes, context: Context) -> AsyncIterator[Any]:
        try:
            request = self._admit(raw, context)
            caller = calling()
            async with aclosing(self._behaviour(request, context)) as responses:
                async for response in responses:
                    # Whoever was let in may not be any more.
                    self._callers.check(caller)
                    yield response
        except Exception as error:
            await self._abort(error, context)

    async def _both(self, raws: AsyncIterator[bytes], context: Context) -> AsyncIterator[Any]:
        self._calls.opened(context)
        try:
            caller = self._callers.identify(context)
            self._permit(caller, role_for(self._method))
            begin_call(caller)
            requests = self._parsed(raws, caller)
            async with aclosing(self._behaviour(requests, context)) as responses:
                async for response in responses:
                    self._callers.check(caller)
                    yield response
        except Exception as error:
            await self._abort(error, context)

    async def _parsed(self, raws: AsyncIterator[bytes], caller: Caller) -> AsyncIterator[Any]:
        async for raw in raws:
            self._callers.check(caller)
            try:
                request = self._parse(raw)
            except InvalidRequestError as error:
                if self._method not in _OUTLIVE_ERRORS:
                    raise
                yield error
            else:
                yield request

    def _admit(self, raw: bytes, context: Context) -> Any:
        caller = None
        try:
            caller = self._callers.identify(context)
            self._permit(caller, role_for(self._method))
            request = self._parse(raw)
            self._permit(caller, role_for_request(self._method, request))
        except FarmError as error:
            actor = caller.name if caller else place_of(context.peer())
            self._acts.refused(self._method, actor, error, source=_source(caller))
            raise
        begin_call(caller)
        return request

    def _permit(self, caller: Caller, needed: Role | None) -> None:
        """Refuse a caller who has not the role that is needed."""
        if needed is None or (caller.role is not None and caller.role >= needed):
            return
        name = self._method.rpartition("/")[2]
        if caller.role is None:
            raise UnauthenticatedError(
                f"{name} needs the role '{needed}', and you have shown none: show a token, as"
                " `authorization: Bearer TOKEN` (`farm tokens issue`, where the farm is run from,"
                " makes one), or call it on the gateway's own machine"
            )
        raise PermissionDeniedError(
            f"{name} needs the role '{needed}', and you have '{caller.role}': call it with a"
            f" certificate of that role (`farm certs issue NAME --role {needed}`, where the farm"
            f" was bootstrapped, makes one), with such a token (`farm tokens issue NAME --role"
            f" {needed}`), or, without any, on the gateway's own machine"
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
