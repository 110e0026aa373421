"""gRPC handlers for a servicer, from the descriptor of its service."""

from collections.abc import Callable, Mapping
from typing import Any

import grpc

from farm.core.errors import UnsupportedError
from farm.frontend.bounded_parsing import bounded_parser
from farm.frontend.grpc_types import Context, GenericHandler, Handler
from farm.frontend.limits import LIMITS
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
        request_deserializer=bounded_parser(method.request_type, LIMITS),
        response_serializer=method.response_type.SerializeToString,
    )


# By whether the client and the server stream; no method of the protocols is client-only.
_MAKERS: Mapping[tuple[bool, bool], Callable[..., Handler]] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}
