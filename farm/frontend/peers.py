"""Who is at the other end of a call: this machine, an operator, which client of the farm's."""

import ipaddress
from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import sha256
from urllib.parse import unquote

from farm.core.identities import Identity, IdentityKind
from farm.frontend.grpc_types import Context

# A longer identity is known by its hash: what is kept of a client has a bound.
_MAX_CLIENT = 128

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def is_loopback(peer: str) -> bool:
    """Whether a gRPC peer (`ipv4:127.0.0.1:5`, `ipv6:%5B::1%5D:5`, `unix:`) is this machine."""
    if peer.startswith("unix:"):
        return True
    address = _address(peer)
    return address is not None and address.is_loopback


def operates(context: Context, farm: str) -> bool:
    """Whether the peer has shown the certificate of an operator of a farm.

    Its machines and its clients have certificates of the same CA and are no operators.
    """
    return any(
        (identity.farm, identity.kind) == (farm, IdentityKind.OPERATOR)
        for identity in _identities(context)
    )


def caller_of(context: Context, farm: str) -> str:
    """Return who calls, as people read it: by certificate where there is one, and from where."""
    address = _address(context.peer())
    place = "this machine" if address is None else str(address)
    who = " and ".join(
        f"{identity.kind} {identity.name}" if identity.farm == farm else identity.uri
        for identity in _identities(context)
    )
    return f"{_bounded(who)} at {place}" if who else place


def _identities(context: Context) -> Iterator[Identity]:
    """Yield whom the peer's certificate is for."""
    # Only what the certificate holds as a URI: a host name may be spelled like one.
    uris: Iterable[bytes] = context.auth_context().get("peer_uri", ())
    for uri in uris:
        identity = Identity.of_uri(uri.decode("ascii", "replace"))
        if identity is not None:
            yield identity


def client_of(context: Context) -> str:
    """Return whose call it is, in at most `_MAX_CLIENT` characters: clients share the farm.

    The first identity of the client's certificate if it has one, else its host, or, on this
    machine, the connection: programs here have nothing else to be told apart by. One that
    opens many connections gets many turns; but whoever runs programs here may call the
    operators' methods anyway. From other hosts connections count as one.
    """
    identities = context.peer_identities()
    if identities:
        return _bounded("id:" + next(iter(identities)).decode("utf-8", "backslashreplace"))
    return _client_at(context.peer())


# Asked for every request, while a connection brings thousands of them.
@lru_cache(maxsize=1024)
def _client_at(peer: str) -> str:
    address = _address(peer)
    if address is None or address.is_loopback:
        return _bounded(peer)
    return _bounded(str(address))


def _address(peer: str) -> _Address | None:
    """Return the IP address of a gRPC peer; None for a peer that has none."""
    host = unquote(peer.partition(":")[2]).rpartition(":")[0].strip("[]")
    try:
        parsed = ipaddress.ip_address(host)
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return mapped or parsed


def _bounded(client: str) -> str:
    if len(client) <= _MAX_CLIENT:
        return client
    return "sha256:" + sha256(client.encode("utf-8", "backslashreplace")).hexdigest()
