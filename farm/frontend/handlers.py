"""gRPC handlers for a servicer, from the descriptor of its service."""

from collections.abc import Callable, Mapping
from typing import Any

import grpc

from farm.frontend.grpc_types import GenericHandler, Handler
from farm.pb.services import Method, methods


def service_handler(service: str, servicer: object) -> GenericHandler:
    """Return a handler for every method of `service` that `servicer` has.

    gRPC answers UNIMPLEMENTED for the others.
    """
    handlers = {
        method.name: _handler(method, getattr(servicer, method.name))
        for method in methods(service)
        if hasattr(servicer, method.name)
    }
    return grpc.method_handlers_generic_handler(service, handlers)


def _handler(method: Method, behaviour: Any) -> Handler:
    make = _MAKERS[method.client_streaming, method.server_streaming]
    return make(
        behaviour,
        request_deserializer=method.request_type.FromString,
        response_serializer=method.response_type.SerializeToString,
    )


# By whether the client and the server stream; no method of the protocols is client-only.
_MAKERS: Mapping[tuple[bool, bool], Callable[..., Handler]] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}
