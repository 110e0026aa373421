"""Certificates of a farm, as bootstrap puts them on its machines."""

from datetime import UTC, datetime
from pathlib import Path

from farm.core.host_tls import HostTls
from farm.core.identities import Identity, IdentityKind
from farm.pki import Authority


def new_authority(farm: str = "shelf", *, now: datetime | None = None) -> Authority:
    return Authority.create(farm, now=now or datetime.now(UTC))


def write_certificate(
    folder: Path,
    authority: Authority,
    name: str,
    *addresses: str,
    kind: IdentityKind = IdentityKind.NODE,
    now: datetime | None = None,
) -> HostTls:
    """Issue a certificate into a folder of its own and return its files."""
    issued = authority.issue(
        Identity(authority.farm, kind, name), addresses=addresses, now=now or datetime.now(UTC)
    )
    own = folder / f"{kind}-{name}"
    own.mkdir(parents=True)
    tls = HostTls(ca=own / "ca.pem", certificate=own / "cert.pem", key=own / "key.pem")
    tls.ca.write_bytes(authority.certificate_pem)
    tls.certificate.write_bytes(issued.certificate_pem)
    tls.key.write_bytes(issued.key_pem)
    return tls
