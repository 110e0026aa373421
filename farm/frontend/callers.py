"""Who makes a call, and what they may do: the one place that decides it, for every method."""

from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from farm.core.identities import Identity
from farm.core.roles import ROLE_OF, Role
from farm.frontend.grpc_types import Context
from farm.frontend.peers import bounded, client_at, is_loopback, place_of

if TYPE_CHECKING:
    from farm.frontend.certificates import Certificates

# What gRPC calls the parts of a certificate that it has verified.
_PEM: Final = "x509_pem_cert"
_URIS: Final = "peer_uri"
_NAMES: Final = "x509_subject_alternative_name"
_COMMON_NAME: Final = "x509_common_name"

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
    people; `client_key` is whose turn it takes, as clients share the farm. `certificate` is what
    must stay good for as long as the call lasts, if one was shown.
    """

    role: Role | None
    name: str
    client_key: str
    certificate: ShownCertificate | None = None


class Callers:
    """Tells the callers of the farm called `farm` apart by what they show.

    `certificates` are those of the farm's CA, None where no address asks for any.
    """

    def __init__(self, *, farm: str, certificates: "Certificates | None") -> None:
        self.farm = farm
        self._certificates = certificates
        # By connection and certificate, the oldest first: a port may be another connection's later.
        self._known: dict[tuple[str, bytes], Caller] = {}

    def __len__(self) -> int:
        """Return of how many connections it is remembered whose they are."""
        return len(self._known)

    def identify(self, context: Context) -> Caller:
        """Return whose call it is.

        A certificate decides, wherever its holder calls from. Who shows nothing may do all on
        this machine, and elsewhere send requests.

        Raises:
            UnauthenticatedError: what the caller shows is not good, or not any more.
        """
        shown = context.auth_context()
        pem = next(iter(shown.get(_PEM, ())), b"")
        key = (context.peer(), pem)
        caller = self._known.get(key)
        if caller is None:
            if len(self._known) >= _REMEMBERED:
                del self._known[next(iter(self._known))]
            made = self._with_certificate if pem else _without_certificate
            caller = self._known[key] = made(context.peer(), pem, shown)
        self.check(caller)
        return caller

    def check(self, caller: Caller) -> None:
        """See that a caller is still let in; asked again for every message of a stream.

        Raises:
            UnauthenticatedError: what was shown has ended, or was revoked.
        """
        if self._certificates is not None and caller.certificate is not None:
            self._certificates.check(caller.certificate)

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
            # The address takes certificates of its CA; one that names nobody of this farm is
            # as good as none is elsewhere.
            role=Role.INFER if first is None else ROLE_OF[first.kind],
            name=name,
            client_key=_client_key(shown) or client_at(peer),
            certificate=(
                None if self._certificates is None else self._certificates.shown(pem, name)
            ),
        )


def _client_key(shown: _Shown) -> str:
    """Return what a certificate's holder is told apart by: the first of its names."""
    for kind in (_NAMES, _COMMON_NAME):
        for name in shown.get(kind, ()):
            return bounded("id:" + name.decode("utf-8", "backslashreplace"))
    return ""


def _without_certificate(peer: str, _pem: bytes, _shown: _Shown) -> Caller:
    return Caller(
        role=Role.ADMIN if is_loopback(peer) else Role.INFER,
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
