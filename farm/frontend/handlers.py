"""gRPC handlers for a servicer, from the descriptor of its service."""

import inspect
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
    if method.client_streaming:
        raise NotImplementedError(f"{method.path}: no client-streaming method is served yet")
    make = (
        grpc.unary_stream_rpc_method_handler
        if inspect.isasyncgenfunction(behaviour)
        else grpc.unary_unary_rpc_method_handler
    )
    return make(
        behaviour,
        request_deserializer=method.request_type.FromString,
        response_serializer=method.response_type.SerializeToString,
    )
