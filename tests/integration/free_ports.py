"""Ports for programs of a test: free now, given to one of them only, never taken by chance."""

import contextlib
import itertools
import random
import socket

# Ray gives its workers 10002 to 19999, and Linux outgoing connections, and listeners that name
# no port, 32768 to 60999, by default: one of those may be taken between the moment that it was
# seen free and its use.
_PORTS = range(20_000, 32_000)
_ATTEMPTS = 100

# Where the next ports are looked for: what was given, and is perhaps not bound yet, is passed.
_given = itertools.count(random.randrange(len(_PORTS)))


def free_base(host: str = "127.0.0.1", *, count: int = 100) -> int:
    """Return the first of `count` free ports in a row."""
    for _ in range(_ATTEMPTS):
        ports = [_PORTS[next(_given) % len(_PORTS)] for _ in range(count)]
        if ports[-1] - ports[0] != count - 1:  # the range began anew within them
            continue
        with contextlib.suppress(OSError), contextlib.ExitStack() as probes:
            for port in ports:
                probes.enter_context(socket.create_server((host, port)))
            return ports[0]
    raise AssertionError(f"no {count} free ports in a row on {host}")


def free_port(host: str = "127.0.0.1") -> int:
    return free_base(host, count=1)


def free_address(host: str = "127.0.0.1") -> str:
    return f"{host}:{free_port(host)}"
