"""Where a call comes from, by the address of its peer alone."""

import ipaddress
from hashlib import sha256
from urllib.parse import unquote

# A longer identity is known by its hash: what is kept of a client has a bound.
_MAX_CLIENT = 128

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_loopback(peer: str) -> bool:
    """Whether a gRPC peer (`ipv4:127.0.0.1:5`, `ipv6:%5B::1%5D:5`, `unix:`) is this machine."""
    if peer.startswith("unix:"):
        return True
    address = _address(peer)
    return address is not None and address.is_loopback


def place_of(peer: str) -> str:
    """Return where a call comes from, as people read it."""
    address = _address(peer)
    return "this machine" if address is None else str(address)


def client_at(peer: str) -> str:
    """Return whose call it is that shows nothing but its address.

    Its host's, or, on this machine, the connection's: programs here have nothing else to be
    told apart by. One that opens many connections gets many turns; but whoever runs programs
    here may call the operators' methods anyway. From other hosts connections count as one.
    """
    address = _address(peer)
    if address is None or address.is_loopback:
        return bounded(peer)
    return bounded(str(address))


def bounded(client: str) -> str:
    """Return what a client is told apart by, in at most `_MAX_CLIENT` characters."""
    if len(client) <= _MAX_CLIENT:
        return client
    return "sha256:" + sha256(client.encode("utf-8", "backslashreplace")).hexdigest()


def _address(peer: str) -> _Address | None:
    """Return the IP address of a gRPC peer; None for a peer that has none."""
    host = unquote(peer.partition(":")[2]).rpartition(":")[0].strip("[]")
    try:
        parsed = ipaddress.ip_address(host)
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return mapped or parsed
