"""The certificate authority of one farm."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from farm.core.errors import ConfigurationError
from farm.core.identities import Identity, IdentityKind
from farm.core.private_files import PRIVATE, read_private, replace_file
from farm.core.revocations import Revocation, RevocationList, RevocationReason
from farm.pki.certificates import facts_of, parsed

CA_FILE: Final = "ca.pem"
CA_KEY_FILE: Final = "ca-key.pem"

AUTHORITY_DAYS: Final = 3650
CERTIFICATE_DAYS: Final = 365
# A certificate that is about to end is replaced by any bootstrap within this time.
RENEW_DAYS: Final = 30

# The clocks of the operator's machine and of a Pi differ, by whole hours where one of them has
# the wrong time zone. More would help nobody: a Pi that boots in 1970 has to be told the time.
_BACKDATED = timedelta(days=1)

_HOST_NAME = re.compile(r"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A certificate and its key, both PEM.

    Whoever installs them writes the key first: then a certificate that `Authority.due` finds
    sound is never left beside an older key.
    """

    certificate_pem: bytes
    key_pem: bytes


class Authority:
    """One farm's certificate authority."""

    def __init__(
        self, farm: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
    ) -> None:
        self.farm = farm
        self._certificate = certificate
        self._key = key

    @classmethod
    def create(cls, farm: str, *, now: datetime) -> Self:
        """Return a new authority; nothing is written.

        Raises:
            ConfigurationError: the farm's name cannot stand in a certificate.
        """
        # An operator called "ca" would be named by the same rules.
        Identity(farm, IdentityKind.OPERATOR, "ca")
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, farm),
                x509.NameAttribute(NameOID.COMMON_NAME, f"{farm} farm CA"),
            ]
        )
        builder = (
            _builder(name, key.public_key(), now, now + timedelta(days=AUTHORITY_DAYS))
            .issuer_name(name)
            # It signs what programs show and no further authorities.
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(authority=True), critical=True)
        )
        return cls(farm, builder.sign(key, hashes.SHA256()), key)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Return the authority that is kept in a folder.

        Raises:
            ConfigurationError: there is none, it is damaged, or others can read its key.
        """
        try:
            certificate_pem = (folder / CA_FILE).read_bytes()
        except OSError as error:
            raise ConfigurationError(
                f"{folder / CA_FILE} cannot be read ({error.strerror}); the farm's CA is on the"
                " machine from which it was bootstrapped"
            ) from error
        key_pem = read_private(folder / CA_KEY_FILE)
        certificate = parsed(certificate_pem, str(folder / CA_FILE))
        try:
            key = serialization.load_pem_private_key(key_pem, password=None)
        except (ValueError, TypeError) as error:
            raise ConfigurationError(f"{folder / CA_KEY_FILE} is not a PEM key") from error
        organization = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
        if (
            not isinstance(key, ec.EllipticCurvePrivateKey)
            or key.public_key() != certificate.public_key()
            or not organization
        ):
            raise ConfigurationError(
                f"{folder / CA_KEY_FILE} is not the key of {CA_FILE} beside it; restore both from"
                " the same backup"
            )
        return cls(str(organization[0].value), certificate, key)

    def save(self, folder: Path) -> None:
        """Keep the authority in a folder. What is interrupted can be done again.

        Raises:
            ConfigurationError: another authority is kept there, or it cannot be written.
        """
        kept = folder / CA_FILE
        if kept.exists() and kept.read_bytes() != self.certificate_pem:
            raise ConfigurationError(
                f"{folder} holds another CA, and every certificate of the farm would be void"
                " without it; move it away if that is what you want"
            )
        replace_file(folder / CA_KEY_FILE, _key_pem(self._key), mode=PRIVATE)
        replace_file(kept, self.certificate_pem)

    @property
    def certificate_pem(self) -> bytes:
        """What everybody who trusts this farm is given."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def issue(
        self,
        identity: Identity,
        *,
        now: datetime,
        addresses: Sequence[str] = (),
        names: Sequence[str] = (),
        days: int = CERTIFICATE_DAYS,
    ) -> Issued:
        """Return a new certificate, good from a day ago to `days` from now.

        A machine's is for the IP `addresses` and DNS `names` under which others reach it, its
        own name among them. It never outlives the authority.

        Raises:
            ConfigurationError: the identity is of another farm, an address or a name is none,
                or the authority has ended.
        """
        if identity.farm != self.farm:
            raise ConfigurationError(
                f"this is the CA of farm '{self.farm}'; it issues nothing for '{identity.farm}'"
            )
        own_end = self._certificate.not_valid_after_utc
        if own_end <= now:
            raise ConfigurationError(
                f"the CA of farm '{self.farm}' ended on {own_end:%Y-%m-%d}; make a new one"
            )
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, self.farm),
                x509.NameAttribute(NameOID.COMMON_NAME, identity.name),
            ]
        )
        uses = [ExtendedKeyUsageOID.CLIENT_AUTH]
        if identity.kind is IdentityKind.NODE:
            uses.append(ExtendedKeyUsageOID.SERVER_AUTH)
        alternative_names: list[x509.GeneralName] = [
            *(x509.UniformResourceIdentifier(uri) for uri in _uris(identity)),
            *(x509.IPAddress(ip_address(address)) for address in _addresses(addresses)),
            *(x509.DNSName(name) for name in _names(names)),
        ]
        builder = (
            _builder(subject, key.public_key(), now, min(now + timedelta(days=days), own_end))
            .issuer_name(self._certificate.subject)
            .add_extension(x509.SubjectAlternativeName(alternative_names), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(authority=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
        )
        certificate = builder.sign(self._key, hashes.SHA256())
        return Issued(
            certificate_pem=certificate.public_bytes(serialization.Encoding.PEM),
            key_pem=_key_pem(key),
        )

    def sign_revocations(self, listed: RevocationList, *, now: datetime) -> bytes:
        """Return a list of revoked certificates as PEM, signed."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._certificate.subject)
            .last_update(now)
            # It has no end of its own, and X.509 wants one.
            .next_update(max(self._certificate.not_valid_after_utc, now + timedelta(days=1)))
            .add_extension(x509.CRLNumber(listed.number), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
        )
        for revocation in listed.revocations.values():
            builder = builder.add_revoked_certificate(_entry(revocation))
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def due(
        self,
        certificate_pem: bytes,
        identity: Identity,
        *,
        now: datetime,
        addresses: Sequence[str] = (),
        names: Sequence[str] = (),
    ) -> str:
        """Return why a certificate must be issued anew, or "" if it is sound as it is."""
        try:
            certificate = parsed(certificate_pem, "it")
        except ConfigurationError:
            return "it is no certificate"
        facts = facts_of(certificate)
        try:
            certificate.verify_directly_issued_by(self._certificate)
        except (ValueError, TypeError, InvalidSignature):
            return "it is another CA's"
        if facts.identity != identity:
            return f"it is for {facts.identity.uri if facts.identity else 'somebody else'}"
        for what, has, wanted in (
            ("addresses", facts.addresses, _addresses(addresses)),
            ("names", facts.names, _names(names)),
        ):
            if list(has) != wanted:
                return f"its {what} are {', '.join(has) or 'none'}"
        # Nothing that could be issued would outlive the authority.
        renewed_to = min(now + timedelta(days=RENEW_DAYS), self._certificate.not_valid_after_utc)
        if facts.not_after < renewed_to or facts.not_after <= now:
            return f"it ends on {facts.not_after:%Y-%m-%d}"
        if facts.not_before > now:
            return f"it begins on {facts.not_before:%Y-%m-%d}, in the future"
        return ""


def _builder(
    subject: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, not_after: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(not_after)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _entry(revocation: Revocation) -> x509.RevokedCertificate:
    entry = (
        x509.RevokedCertificateBuilder()
        .serial_number(revocation.serial)
        .revocation_date(revocation.revoked_at)
    )
    # Who has no reason to give leaves it out (RFC 5280).
    if revocation.reason is not RevocationReason.UNSPECIFIED:
        flag = x509.ReasonFlags[revocation.reason.name.lower()]
        entry = entry.add_extension(x509.CRLReason(flag), critical=False)
    return entry.build()


def _uris(identity: Identity) -> list[str]:
    """Return the identities that a certificate names for one, itself first.

    A gateway of the version before knows no admins: it takes one for the operator that it is too.
    """
    if identity.kind is IdentityKind.ADMIN:
        return [identity.uri, replace(identity, kind=IdentityKind.OPERATOR).uri]
    return [identity.uri]


def _addresses(addresses: Sequence[str]) -> list[str]:
    """Return IP addresses once each, in one spelling and order, so that equal wishes compare."""
    try:
        return sorted({str(ip_address(address)) for address in addresses})
    except ValueError as error:
        raise ConfigurationError(f"{error}; a certificate needs IP addresses") from error


def _names(names: Sequence[str]) -> list[str]:
    """Return host names once each, likewise."""
    for name in names:
        if not _HOST_NAME.fullmatch(name) or len(name) > 253:
            raise ConfigurationError(
                f"'{name[:80]}' is not a host name for a certificate, as in pi-head.local"
            )
    return sorted({name.lower() for name in names})
