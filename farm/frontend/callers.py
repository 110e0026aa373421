"""Who makes a call, and what they may do: the one place that decides it, for every method."""

from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from farm.core.errors import UnauthenticatedError
from farm.core.identities import Identity
from farm.core.roles import ROLE_OF, Role
from farm.core.tokens import IssuedToken
from farm.frontend.grpc_types import Context
from farm.frontend.peers import bounded, client_at, is_loopback, place_of
from farm.frontend.tokens import TokenFile, token_of

if TYPE_CHECKING:
    from farm.frontend.certificates import Certificates

# What gRPC calls the parts of a certificate that it has verified.
_PEM: Final = "x509_pem_cert"
_URIS: Final = "peer_uri"
_NAMES: Final = "x509_subject_alternative_name"
_COMMON_NAME: Final = "x509_common_name"
# And what it says of how a connection is encrypted, also where it is not.
_SECURITY: Final = "transport_security_type"
_TLS: Final = b"ssl"

# Connections of which it is remembered whose they are; each brings thousands of calls.
_REMEMBERED: Final = 1024

_Shown = Mapping[str, Iterable[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCertificate:
    """A certificate that TLS has found good: `who` shows it, and what may still be against it."""

    who: str
    serial: int
    ends_unix_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whose call it is.

    `role` is None for somebody who may call what needs no role, and nothing else. `name` is for
    people; `client_key` is whose turn it takes, as clients share the farm. `certificate` and
    `token` are what must stay good for as long as the call lasts, if they were shown.
    """

    role: Role | None
    name: str
    client_key: str
    certificate: ShownCertificate | None = None
    token: IssuedToken | None = None


class Callers:
    """Tells the callers of the farm called `farm` apart by what they show.

    `certificates` are those of the farm's CA, None where no address asks for any. Without
    `tokens` nobody is let in by a token.
    """

    def __init__(
        self,
        *,
        farm: str,
        certificates: "Certificates | None",
        tokens: TokenFile | None = None,
    ) -> None:
        self.farm = farm
        self._certificates = certificates
        self._tokens = tokens
        # By connection and certificate, the oldest first: a port may be another connection's later.
        self._known: dict[tuple[str, bytes], Caller] = {}

    def __len__(self) -> int:
        """Return of how many connections it is remembered whose they are."""
        return len(self._known)

    def identify(self, context: Context) -> Caller:
        """Return whose call it is.

        A token decides, wherever its holder calls from, and where there is none a certificate.
        Who shows nothing may do all on this machine, and nothing from elsewhere. A certificate
        that is not good any more lets nobody in, whatever else they show.

        Raises:
            UnauthenticatedError: what the caller shows is not good, or not any more.
        """
        caller = self._connected(context)
        token = token_of(context.invocation_metadata())
        if token is not None:
            caller = self._with_token(token, caller, context)
        self.check(caller)
        return caller

    def _connected(self, context: Context) -> Caller:
        """Return whose connection it is."""
        shown = context.auth_context()
        pem = next(iter(shown.get(_PEM, ())), b"")
        key = (context.peer(), pem)
        caller = self._known.get(key)
        if caller is None:
            if len(self._known) >= _REMEMBERED:
                del self._known[next(iter(self._known))]
            made = self._with_certificate if pem else _without_certificate
            caller = self._known[key] = made(context.peer(), pem, shown)
        return caller

    def check(self, caller: Caller) -> None:
        """See that a caller is still let in; asked again for every message of a stream.

        Raises:
            UnauthenticatedError: what was shown has ended, or was revoked.
        """
        if self._certificates is not None and caller.certificate is not None:
            self._certificates.check(caller.certificate)
        if self._tokens is not None and caller.token is not None:
            self._tokens.check(caller.token)

    def _with_certificate(self, peer: str, pem: bytes, shown: _Shown) -> Caller:
        # Only what the certificate holds as a URI: a host name may be spelled like one.
        uris = (uri.decode("ascii", "replace") for uri in shown.get(_URIS, ()))
        found = [identity for uri in uris if (identity := Identity.of_uri(uri)) is not None]
        # One who is several things is named by the highest of them.
        own = [identity for identity in found if identity.farm == self.farm]
        first = max(own, key=lambda identity: ROLE_OF[identity.kind], default=None)
        if first is not None:
            name = f"{first.kind} {first.name} at {place_of(peer)}"
        elif found:
            name = f"{bounded(found[0].uri)} at {place_of(peer)}"
        else:
            name = place_of(peer)
        return Caller(
            # The address takes certificates of its CA; one that names nobody of this farm lets
            # in for the least there is.
            role=Role.INFER if first is None else ROLE_OF[first.kind],
            name=name,
            client_key=_client_key(shown) or client_at(peer),
            certificate=(
                None if self._certificates is None else self._certificates.shown(pem, name)
            ),
        )

    def _with_token(self, token: str, caller: Caller, context: Context) -> Caller:
        if self._tokens is None:
            raise UnauthenticatedError(
                "this gateway takes no tokens: call it without one, or have those who run it name"
                " their file (`farm up --tokens`, or `tokens` in its configuration)"
            )
        peer = context.peer()
        if not is_loopback(peer) and _TLS not in context.auth_context().get(_SECURITY, ()):
            raise UnauthenticatedError(
                "a token counts over TLS only, and this one came for all on the way to read:"
                " replace it (`farm tokens revoke`), and connect with TLS"
            )
        place = place_of(peer)
        holder = self._tokens.holder(token, place=place)
        return replace(
            caller,
            role=holder.role,
            name=f"token {holder.name} ({holder.role}) at {place}",
            client_key=f"token:{holder.id}",
            token=holder,
        )


def _client_key(shown: _Shown) -> str:
    """Return what a certificate's holder is told apart by: the first of its names."""
    for kind in (_NAMES, _COMMON_NAME):
        for name in shown.get(kind, ()):
            return bounded("id:" + name.decode("utf-8", "backslashreplace"))
    return ""


def _without_certificate(peer: str, _pem: bytes, _shown: _Shown) -> Caller:
    return Caller(
        role=Role.ADMIN if is_loopback(peer) else None,
        name=place_of(peer),
        client_key=client_at(peer),
    )


# Each call is a task of its own, and what serves it asks here whose it is.
_CALLING: Final[ContextVar[Caller]] = ContextVar("calling")


def calling() -> Caller:
    """Return whose call this task serves; only within one that the guard has let in."""
    return _CALLING.get()


def begin_call(caller: Caller) -> None:
    """Say whose call this task serves."""
    _CALLING.set(caller)
