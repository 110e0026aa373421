"""How a server takes over an address from another process that still listens on it (Linux).

Both share the address with SO_REUSEPORT, and the kernel would deal new connections out to
both. It is told to give all of them to the newer one, so the older one has none left that are
about to be accepted when it stops; if the newer one dies, they go to the older one again.
"""

import ctypes
import errno
import os
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from socket import AF_INET, AF_INET6, SOCK_STREAM

from farm.core.errors import ConfigurationError

# From Linux' asm-generic/socket.h; Python names only SO_REUSEPORT.
_SO_ATTACH_REUSEPORT_CBPF = 51

# The newer of two is number 1. Where it is alone there is no such number, and the kernel
# chooses as if nobody had told it anything.
_NEWER = 1
# One instruction of classic BPF, BPF_RET | BPF_K: return a constant.
_RETURN = struct.pack("@HBBI", 0x06, 0, 0, _NEWER)


def check_supported() -> None:
    """Check that this system can hand over an address.

    Raises:
        ConfigurationError: it is not Linux.
    """
    if sys.platform != "linux":
        raise ConfigurationError("handover needs Linux; leave it out of the configuration here")


def is_taken(address: str) -> bool:
    """Return whether a process listens on an address of this machine, "host:port"."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    with socket.socket(AF_INET6 if ":" in host else AF_INET, SOCK_STREAM) as probe:
        # Connections that have just ended do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


def take_new_connections(listener: socket.socket) -> bool:
    """Give new connections to the newer of the two listeners of this one's address.

    False where the system cannot be told, as under emulation: both go on getting some.
    """
    program = ctypes.create_string_buffer(_RETURN, len(_RETURN))
    filters = struct.pack("@HP", 1, ctypes.addressof(program))
    try:
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_REUSEPORT_CBPF, filters)
    except OSError:
        return False
    return True


def take_port(port: int) -> bool:
    """Do so for every listener that this process has on a port, whoever opened it."""
    return all(take_new_connections(own) for own in _sockets(port, listening=True))


def open_connections(port: int) -> int:
    """Return how many connections this process has accepted on a port and not closed."""
    return sum(1 for _ in _sockets(port, listening=False))


def end_connections(port: int) -> None:
    """End what this process has accepted on a port, once what it has sent has gone out.

    Where there is no Linux to ask nothing ends.
    """
    if sys.platform != "linux":
        return
    for own in _sockets(port, listening=False):
        # The other side may have ended it already.
        with suppress(OSError):
            own.shutdown(socket.SHUT_RDWR)


def _sockets(port: int, *, listening: bool) -> Iterator[socket.socket]:
    """Yield the process's TCP sockets of a port in turn, each only until the next.

    Libraries do not say which sockets they have; the kernel does.
    """
    for entry in Path("/proc/self/fd").iterdir():
        # One of its own, for libraries may close theirs meanwhile, and open others by its number.
        try:
            descriptor = os.dup(int(entry.name))
        except OSError:
            continue
        try:
            own = socket.socket(fileno=descriptor)
        except OSError:
            # It is no socket.
            os.close(descriptor)
            continue
        with own:
            stream = own.family in (AF_INET, AF_INET6) and own.type == SOCK_STREAM
            if stream and own.getsockname()[1] == port and _listens(own) == listening:
                yield own


def _listens(own: socket.socket) -> bool:
    return bool(own.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
