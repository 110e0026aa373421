"""Where a gateway is found when nobody says otherwise: Triton's ports, on loopback."""

from typing import Final

from farm.core.errors import ConfigurationError

GRPC_ADDRESS: Final = "127.0.0.1:8001"
METRICS_ADDRESS: Final = "127.0.0.1:8002"
MAX_PORT: Final = 65_535


def joined(host: str, port: int) -> str:
    """Return HOST:PORT, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"


def checked_address(address: str) -> str:
    """Return an address if it is HOST:PORT, or a socket's path as `unix:PATH`.

    Raises:
        ConfigurationError: it is neither.
    """
    host, _, port = address.rpartition(":")
    if address.startswith("unix:") or (host and port.isdigit() and int(port) <= MAX_PORT):
        return address
    raise ConfigurationError(
        f"the gateway's address '{address}' is not HOST:PORT, for example {GRPC_ADDRESS}"
    )
