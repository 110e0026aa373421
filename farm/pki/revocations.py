"""Lists of revoked certificates (CRL, RFC 5280): what they say, and whether a CA has signed them.

A farm's list lies beside its CA. It has no end of its own: gateways go on with the last list they
have, however long the machine with the CA is away.
"""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509

from farm.core.errors import ConfigurationError, IntegrityError
from farm.core.private_files import locked, replace_file
from farm.core.revocations import (
    NO_REVOCATIONS,
    Revocation,
    RevocationList,
    RevocationReason,
)
from farm.pki.authority import CA_FILE, Authority
from farm.pki.certificates import DAMAGES, parsed

REVOCATIONS_FILE: Final = "crl.pem"

_REASONS: Final = {x509.ReasonFlags[reason.name.lower()]: reason for reason in RevocationReason}


def read_revocations(
    list_pem: bytes, authority_pem: bytes, named: str = "this list"
) -> RevocationList:
    """Return what a list says that the CA of a certificate has signed. Errors call it `named`.

    Raises:
        IntegrityError: it is damaged, no list, or signed by somebody else.
        ConfigurationError: `authority_pem` is no certificate.
    """
    authority = parsed(authority_pem, "the CA")
    try:
        found = x509.load_pem_x509_crl(list_pem)
        signed = found.issuer == authority.subject and found.is_signature_valid(
            authority.public_key()  # type: ignore[arg-type]  # of other kinds of keys it says so
        )
        if not signed:
            raise IntegrityError(f"{named} of revoked certificates is not signed by this farm's CA")
        number = found.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
        revoked = [_revocation(entry) for entry in found]
    except (*DAMAGES, TypeError, x509.ExtensionNotFound) as error:
        raise IntegrityError(f"{named} of revoked certificates is damaged, or none") from error
    return RevocationList(number=number, revocations={each.serial: each for each in revoked})


def kept_revocations(folder: Path) -> RevocationList:
    """Return the list that lies beside the CA in a folder; an empty one before there is any.

    Raises:
        IntegrityError: it is damaged or another CA's; a backup of the folder may have it.
        ConfigurationError: it, or the CA, cannot be read.
    """
    path = folder / REVOCATIONS_FILE
    list_pem = read_if_there(path)
    if list_pem is None:
        return NO_REVOCATIONS
    return read_revocations(list_pem, read_if_there(folder / CA_FILE) or b"", str(path))


def revoke(
    authority: Authority,
    folder: Path,
    serials: Iterable[int],
    *,
    reason: RevocationReason,
    now: datetime,
) -> RevocationList:
    """Put certificates on the list beside a farm's CA, and return what it says then.

    What is on it already stays as it is.

    Raises:
        IntegrityError, ConfigurationError: as `kept_revocations`, or it cannot be written.
    """
    path = folder / REVOCATIONS_FILE
    # What another command puts on it meanwhile must not be let in again.
    with locked(path):
        before = kept_revocations(folder)
        new = {
            serial: Revocation(serial=serial, revoked_at=now.replace(microsecond=0), reason=reason)
            for serial in serials
            if serial not in before.revocations
        }
        # By the time, so that a list made from a restored backup is newer than one made before.
        number = max(before.number + 1, int(now.timestamp()))
        listed = RevocationList(number=number, revocations={**before.revocations, **new})
        replace_file(path, authority.sign_revocations(listed, now=now))
    return listed


def read_if_there(path: Path) -> bytes | None:
    """Return a file's content, None if there is none.

    Raises:
        ConfigurationError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error


def _revocation(entry: x509.RevokedCertificate) -> Revocation:
    reason = RevocationReason.UNSPECIFIED
    for extension in entry.extensions:
        if isinstance(extension.value, x509.CRLReason):
            reason = _REASONS.get(extension.value.reason, RevocationReason.UNSPECIFIED)
    return Revocation(
        serial=entry.serial_number, revoked_at=entry.revocation_date_utc, reason=reason
    )
