"""Mutual TLS between the machines of a farm, by the certificates that its CA issued to them.

A machine is believed when its certificate comes from the farm's CA, holds the address it was
reached at, and names a machine: clients and operators have certificates of the same CA.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from farm.core.identities import Identity, IdentityKind

if TYPE_CHECKING:
    import ssl


@dataclass(frozen=True, slots=True, kw_only=True)
class HostTls:
    """Files of one machine, all PEM: the farm's CA, its own certificate and key."""

    ca: Path
    certificate: Path
    key: Path

    def serving(self, protocols: Iterable[str] = ()) -> "ssl.SSLContext":
        """Return what a server of this machine needs; only the farm's certificates get in.

        Raises:
            OSError: a file cannot be read, or does not fit the others (`ssl.SSLError`).
        """
        context = self._context(protocols, serving=True)
        # No session is ever resumed, and a ticket would be bytes that nobody awaits.
        context.num_tickets = 0
        return context

    def calling(self, protocols: Iterable[str] = ()) -> "ssl.SSLContext":
        """Return what a caller needs; the other's certificate must hold the address called.

        Raises:
            OSError: as `serving`.
        """
        return self._context(protocols, serving=False)

    def _context(self, protocols: Iterable[str], *, serving: bool) -> "ssl.SSLContext":
        # OpenSSL takes memory, of which an actor that does not encrypt is spared.
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if serving else ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(self.ca)
        context.load_cert_chain(self.certificate, self.key)
        if wanted := list(protocols):
            context.set_alpn_protocols(wanted)
        return context


def machine_of(certificate: Mapping[str, Any] | None) -> str | None:
    """Return the name of the machine that a certificate was issued to, None where to no machine.

    `certificate` is what `getpeercert` returned.
    """
    for kind, value in (certificate or {}).get("subjectAltName", ()):
        identity = Identity.of_uri(value) if kind == "URI" else None
        if identity is not None and identity.kind is IdentityKind.NODE:
            return identity.name
    return None


def shown_to_itself(tls: HostTls, address: str) -> Mapping[str, Any]:
    """Return this machine's certificate as others will see it, after a handshake in memory.

    Raises:
        ssl.SSLCertVerificationError: others would refuse it: another CA, another address,
            not valid at this time of this machine's clock.
        OSError: as `HostTls.serving`.
    """
    import ssl

    to_server, to_caller = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = tls.serving().wrap_bio(to_server, to_caller, server_side=True)
    caller = tls.calling().wrap_bio(to_caller, to_server, server_hostname=address)
    # Each turn lets both go on as far as they can; three make a handshake.
    for _ in range(3):
        for side in (caller, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return caller.getpeercert() or {}
