"""Where a gateway is found when nobody says otherwise: Triton's ports, on loopback."""

from typing import Final

GRPC_ADDRESS: Final = "127.0.0.1:8001"
METRICS_ADDRESS: Final = "127.0.0.1:8002"


def joined(host: str, port: int) -> str:
    """Return HOST:PORT, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"
