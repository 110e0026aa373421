"""Ports for programs of a test: free now, and never given to a connection by chance."""

import contextlib
import random
import socket

# Linux gives outgoing connections, and listeners that name no port, 32768 to 60999 by default:
# one of those may be taken between the moment that it was seen free and its use.
_PORTS = range(10_000, 32_000)
_ATTEMPTS = 100


def free_base(host: str = "127.0.0.1", *, count: int = 100) -> int:
    """Return the first of `count` free ports in a row."""
    for _ in range(_ATTEMPTS):
        base = random.choice(_PORTS[:-count])
        with contextlib.suppress(OSError), contextlib.ExitStack() as probes:
            for port in range(base, base + count):
                probes.enter_context(socket.create_server((host, port)))
            return base
    raise AssertionError(f"no {count} free ports in a row on {host}")


def free_port(host: str = "127.0.0.1") -> int:
    return free_base(host, count=1)


def free_address(host: str = "127.0.0.1") -> str:
    return f"{host}:{free_port(host)}"
