"""The farm's certificate authority and the certificates that it issues.

The authority lives on the operator's machine; its key never leaves it. All keys are on the
curve P-256, which every TLS library takes and a Pi computes in a millisecond.
"""

from farm.pki.authority import CA_FILE, CA_KEY_FILE, RENEW_DAYS, Authority, Issued
from farm.pki.certificates import CertificateFacts, inspect
from farm.pki.revocations import (
    REVOCATIONS_FILE,
    kept_revocations,
    read_if_there,
    read_revocations,
    revoke,
)

__all__ = [
    "CA_FILE",
    "CA_KEY_FILE",
    "RENEW_DAYS",
    "REVOCATIONS_FILE",
    "Authority",
    "CertificateFacts",
    "Issued",
    "inspect",
    "kept_revocations",
    "read_if_there",
    "read_revocations",
    "revoke",
]
