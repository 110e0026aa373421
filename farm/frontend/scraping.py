"""Who may read the metrics from another machine: whoever may call the gateway at all."""

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from farm.core.errors import UnauthenticatedError
from farm.frontend.tokens import TokenFile, token_in

if TYPE_CHECKING:
    from farm.frontend.certificates import Certificates


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrapeAdmission:
    """Lets in who shows a good token or, with none, a certificate. Every role may read them.

    A certificate that was revoked lets nobody in, whatever else they show.
    """

    tokens: TokenFile | None = None
    certificates: "Certificates | None" = None

    def __call__(self, authorization: str, certificate: bytes | None) -> bool:
        """Say whether a scraper is let in; its certificate is one that TLS has found good."""
        token = token_in(authorization)
        try:
            if certificate is not None and self.certificates is not None:
                pem = ssl.DER_cert_to_PEM_cert(certificate).encode()
                self.certificates.check(self.certificates.shown(pem, "a scraper"))
            if token is not None and self.tokens is not None:
                self.tokens.holder(token, place="the metrics page")
                return True
        except UnauthenticatedError:
            return False
        return token is None and certificate is not None
