"""How clients open channels and address methods."""

from collections.abc import Mapping
from typing import Final

from farm.core.addresses import GRPC_ADDRESS
from farm.pb.services import ADMIN_SERVICE, INFERENCE_SERVICE, Method, methods

DEFAULT_ADDRESS: Final = GRPC_ADDRESS

OPTIONS: Final = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
)


def inference_methods() -> Mapping[str, Method]:
    """Return the inference service's methods by name."""
    return {method.name: method for method in methods(INFERENCE_SERVICE)}


def admin_methods() -> Mapping[str, Method]:
    """Return the admin service's methods by name."""
    return {method.name: method for method in methods(ADMIN_SERVICE)}
