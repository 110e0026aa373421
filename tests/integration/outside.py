"""An address of this machine that is not loopback: calls from there are those of a stranger."""

import socket

import pytest


def outside_address() -> str:
    """Return one, or nothing if there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Nothing is sent: this only asks which address a packet would leave from.
            probe.connect(("198.18.0.1", 9))
        except OSError:
            return ""
        address: str = probe.getsockname()[0]
    return "" if address.startswith("127.") else address


needs_outside = pytest.mark.skipif(
    not outside_address(), reason="needs an interface beside loopback, with an IPv4 address"
)
