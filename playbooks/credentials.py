"""What the operator's machine keeps of a farm: its CA, its secret, the operator's own access."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from farm.client import ClientTls
from farm.contexts import Context, FarmFolder, FarmHome
from farm.core.identities import Identity, IdentityKind
from farm.core.private_files import PRIVATE, read_private, replace_file
from farm.core.revocations import RevocationReason
from farm.core.token_files import kept_tokens
from farm.pki import CA_FILE, REVOCATIONS_FILE, Authority, inspect, kept_revocations, revoke

_TOKEN_BYTES = 32
_OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Made once a farm and kept; `token` is the secret of its Ray cluster.

    `tokens` is what its gateway is to know of the tokens of its clients.
    """

    folder: FarmFolder
    authority: Authority
    token: bytes
    tokens: bytes

    @classmethod
    def kept(cls, home: FarmHome, farm: str, *, now: datetime) -> Self:
        """Return a farm's credentials, made now if there are none yet.

        Raises:
            ConfigurationError: they cannot be read or written, or others can read them too.
            IntegrityError: the list of revoked certificates is damaged.
        """
        folder = home.folder(farm)
        if (folder.authority / CA_FILE).exists():
            authority = Authority.load(folder.authority)
        else:
            authority = Authority.create(farm, now=now)
            authority.save(folder.authority)
        if not (folder.authority / REVOCATIONS_FILE).exists():
            revoke(authority, folder.authority, [], reason=RevocationReason.UNSPECIFIED, now=now)
        if not folder.ray_token.exists():
            token = secrets.token_hex(_TOKEN_BYTES).encode()
            replace_file(folder.ray_token, token, mode=PRIVATE)
        own = cls(
            folder=folder,
            authority=authority,
            token=read_private(folder.ray_token),
            tokens=kept_tokens(folder.tokens).to_json(),
        )
        own._renew_operator(now)
        return own

    @property
    def revocations(self) -> bytes:
        """The list of revoked certificates, signed, as PEM."""
        return (self.folder.authority / REVOCATIONS_FILE).read_bytes()

    @property
    def tls(self) -> ClientTls:
        """What the operator shows to the gateway."""
        return ClientTls(
            ca=self.folder.authority / CA_FILE,
            certificate=self.folder.operator_certificate,
            key=self.folder.operator_key,
        )

    def context(self, address: str) -> Context:
        """Return how the operator's commands reach the farm's gateway from now on."""
        tls = self.tls
        return Context(
            farm=self.authority.farm,
            address=address,
            ca=tls.ca,
            certificate=tls.certificate,
            key=tls.key,
        )

    def _renew_operator(self, now: datetime) -> None:
        folder = self.folder
        identity = Identity(self.authority.farm, IdentityKind.ADMIN, _OPERATOR)
        there = b""
        if folder.operator_certificate.exists() and folder.operator_key.exists():
            there = folder.operator_certificate.read_bytes()
        revoked = kept_revocations(folder.authority).revocations
        if self.authority.due(there, identity, now=now) or inspect(there).serial in revoked:
            issued = self.authority.issue(identity, now=now)
            replace_file(folder.operator_key, issued.key_pem, mode=PRIVATE)
            replace_file(folder.operator_certificate, issued.certificate_pem)
