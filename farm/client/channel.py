"""How clients open channels and address methods."""

from collections.abc import Mapping
from typing import Final

import grpc

from farm.client.tls import ClientTls
from farm.core.addresses import GRPC_ADDRESS
from farm.pb.services import ADMIN_SERVICE, INFERENCE_SERVICE, Method, methods

DEFAULT_ADDRESS: Final = GRPC_ADDRESS

# The first retry of a call must meet a channel that tries to connect again: gRPC's own first
# pause is a second, its longest two minutes.
OPTIONS: Final = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    # A gateway whose host lost power closes nothing: while calls wait for an answer, however
    # long, it is asked for a sign of life, and missed when TCP hears nothing for 10 s more.
    # gRPC's own timeout stays a minute, for on a thin link the sign waits behind what was sent.
    # A farm takes that; a server with gRPC's defaults ends a call that is silent for 40 s.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
)


def open_channel(address: str, tls: ClientTls | None) -> grpc.Channel:
    """Return a channel for threads; without `tls` it is not encrypted.

    Raises:
        ConfigurationError: a file of TLS cannot be used.
    """
    if tls is None:
        return grpc.insecure_channel(address, options=OPTIONS)
    return grpc.secure_channel(address, tls.credentials(), options=(*OPTIONS, *tls.options()))


def open_aio_channel(address: str, tls: ClientTls | None) -> grpc.aio.Channel:
    """Return a channel for one event loop, likewise."""
    if tls is None:
        return grpc.aio.insecure_channel(address, options=OPTIONS)
    return grpc.aio.secure_channel(address, tls.credentials(), options=(*OPTIONS, *tls.options()))


def inference_methods() -> Mapping[str, Method]:
    """Return the inference service's methods by name."""
    return {method.name: method for method in methods(INFERENCE_SERVICE)}


def admin_methods() -> Mapping[str, Method]:
    """Return the admin service's methods by name."""
    return {method.name: method for method in methods(ADMIN_SERVICE)}
