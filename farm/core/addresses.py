"""Where a gateway is found when nobody says otherwise: Triton's ports, on loopback."""

from typing import Final

GRPC_ADDRESS: Final = "127.0.0.1:8001"
METRICS_ADDRESS: Final = "127.0.0.1:8002"
