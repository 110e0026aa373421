"""Where a gateway is found when nobody says otherwise: Triton's ports, on loopback."""

from ipaddress import IPv6Address, ip_address
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


def on_loopback(address: str) -> bool:
    """Whether HOST:PORT, or a socket's path as `unix:PATH`, is this machine's alone.

    Of names only `localhost` is: what another one stands for may change.
    """
    if address.startswith("unix:"):
        return True
    host = address.rpartition(":")[0].strip("[]")
    try:
        parsed = ip_address(host)
    except ValueError:
        return host.lower() == "localhost"
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return (mapped or parsed).is_loopback
