"""What a certificate says."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from farm.core.errors import ConfigurationError
from farm.core.identities import Identity, IdentityKind

# What reading a damaged certificate, or a list of them, raises.
DAMAGES: Final = (
    ValueError,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFacts:
    """What a certificate says. `identity` is None for one that is not of a farm's making.

    `fingerprint` is the SHA-256 of the certificate, in hexadecimal; `serial` is its number
    among those of its CA.
    """

    identity: Identity | None
    addresses: tuple[str, ...]
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    fingerprint: str
    serial: int


def inspect(certificate_pem: bytes, named: str = "this") -> CertificateFacts:
    """Return what a PEM certificate says; of several the first. Errors call it `named`.

    Raises:
        ConfigurationError: it is not a certificate, or a damaged one.
    """
    return facts_of(parsed(certificate_pem, named))


def facts_of(certificate: x509.Certificate) -> CertificateFacts:
    """Return what a certificate says."""
    uris: list[str] = []
    addresses: list[str] = []
    names: list[str] = []
    for extension in certificate.extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            uris = extension.value.get_values_for_type(x509.UniformResourceIdentifier)
            names = extension.value.get_values_for_type(x509.DNSName)
            addresses = [str(each) for each in extension.value.get_values_for_type(x509.IPAddress)]
    return CertificateFacts(
        identity=_identity(uris),
        addresses=tuple(addresses),
        names=tuple(names),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
        serial=certificate.serial_number,
    )


def _identity(uris: Sequence[str]) -> Identity | None:
    found = [identity for uri in uris if (identity := Identity.of_uri(uri)) is not None]
    match [(identity.kind, identity.farm, identity.name) for identity in found]:
        case [_]:
            return found[0]
        # An admin's, whom a gateway of the version before takes for an operator.
        case [(IdentityKind.ADMIN, *who), (IdentityKind.OPERATOR, *also)] if who == also:
            return found[0]
        case _:
            return None


def parsed(pem: bytes, what: str) -> x509.Certificate:
    """Return a PEM certificate, of several the first; errors call it `what`.

    Raises:
        ConfigurationError: it is not one, or a damaged one.
    """
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        # They are parsed when they are first asked for.
        _ = certificate.extensions
        return certificate
    except DAMAGES as error:
        raise ConfigurationError(f"{what} is not a PEM certificate") from error
