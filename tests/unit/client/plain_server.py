"""A server of the protocol that is no farm: any handler, on any loopback port."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc

from farm.pb.services import ADMIN_SERVICE, INFERENCE_SERVICE, methods

Behaviour = Callable[[Any, grpc.ServicerContext], Any]


@contextmanager
def plain_server(behaviours: dict[str, Behaviour]) -> Iterator[str]:
    """Serve methods by name; yield the address."""
    server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
    for service in (INFERENCE_SERVICE, ADMIN_SERVICE):
        handlers = {}
        for method in methods(service):
            if method.name not in behaviours:
                continue
            make = getattr(
                grpc,
                f"{'stream' if method.client_streaming else 'unary'}"
                f"_{'stream' if method.server_streaming else 'unary'}_rpc_method_handler",
            )
            handlers[method.name] = make(
                behaviours[method.name],
                request_deserializer=method.request_type.FromString,
                response_serializer=method.response_type.SerializeToString,
            )
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait()
