"""gRPC handlers for a servicer, from the descriptor of its service."""

from collections.abc import Callable, Mapping
from typing import Any

import grpc

from farm.core.errors import InvalidRequestError, UnsupportedError
from farm.frontend.grpc_types import Context, GenericHandler, Handler
from farm.frontend.limits import LIMITS
from farm.pb.bounded_parsing import TooMuchError, bounded_parser
from farm.pb.services import Method, methods


def service_handler(service: str, *servicers: object) -> GenericHandler:
    """Return a handler for every method of `service`: the first servicer's that has it.

    A method that none has is answered UNIMPLEMENTED, in words.
    """
    handlers = {}
    for method in methods(service):
        behaviours = [getattr(servicer, method.name, None) for servicer in servicers]
        behaviour = next((found for found in behaviours if found is not None), None)
        handlers[method.name] = _handler(method, behaviour or _unsupported(method))
    return grpc.method_handlers_generic_handler(service, handlers)


def request_parser(kind: type[Any]) -> Callable[[bytes], Any]:
    """Return what reads requests of a kind, as long as they keep to the limits.

    It raises `InvalidRequestError` for those that do not.
    """
    parse = bounded_parser(kind, max_fields=LIMITS.max_fields, max_values=LIMITS.max_values)

    def read(raw: bytes) -> Any:
        try:
            return parse(raw)
        except TooMuchError as error:
            raise InvalidRequestError(str(error)) from error

    return read


def _unsupported(method: Method) -> Callable[[Any, Context], Any]:
    async def refuse(_request: Any, _context: Context) -> Any:
        raise UnsupportedError(
            f"{method.name} is not offered by this farm; ServerMetadata lists its extensions"
        )

    return refuse


def _handler(method: Method, behaviour: Any) -> Handler:
    make = _MAKERS[method.client_streaming, method.server_streaming]
    return make(
        behaviour,
        request_deserializer=request_parser(method.request_type),
        response_serializer=method.response_type.SerializeToString,
    )


# By whether the client and the server stream; no method of the protocols is client-only.
_MAKERS: Mapping[tuple[bool, bool], Callable[..., Handler]] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}
