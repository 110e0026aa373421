"""How clients open channels and address methods."""

from collections.abc import Mapping
from typing import Final

from farm.core.addresses import GRPC_ADDRESS
from farm.core.errors import ConfigurationError
from farm.pb.services import ADMIN_SERVICE, INFERENCE_SERVICE, Method, methods

DEFAULT_ADDRESS: Final = GRPC_ADDRESS
MAX_PORT: Final = 65_535

# The first retry of a call must meet a channel that tries to connect again: gRPC's own first
# pause is a second, its longest two minutes.
OPTIONS: Final = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 5_000),
)


def inference_methods() -> Mapping[str, Method]:
    """Return the inference service's methods by name."""
    return {method.name: method for method in methods(INFERENCE_SERVICE)}


def admin_methods() -> Mapping[str, Method]:
    """Return the admin service's methods by name."""
    return {method.name: method for method in methods(ADMIN_SERVICE)}


def checked_address(address: str) -> str:
    """Return an address if it is HOST:PORT, or a socket's path as `unix:PATH`.

    Raises:
        ConfigurationError: it is neither.
    """
    host, _, port = address.rpartition(":")
    if address.startswith("unix:") or (host and port.isdigit() and int(port) <= MAX_PORT):
        return address
    raise ConfigurationError(
        f"the gateway's address '{address}' is not HOST:PORT, for example {DEFAULT_ADDRESS}"
    )
