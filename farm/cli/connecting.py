"""Which gateway a client command talks to, and what it shows there."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from farm.core.addresses import GRPC_ADDRESS
from farm.core.admin_protocol import ADMIN_PROTOCOL
from farm.core.errors import (
    ConfigurationError,
    FarmError,
    InternalError,
    UnreachableError,
    UnsupportedError,
)

if TYPE_CHECKING:
    from farm.client import AdminClient, ClientTls, FarmClient
    from farm.contexts import Context

# What comes of an answer that says something else than was asked, or in another way.
_MISREAD: Final = (LookupError, TypeError, ValueError)
# For a gateway that has just answered something else.
_VERSION_S: Final = 2.0

_CONNECT: Final = "FARM_CONNECT"
_CA: Final = "FARM_TLS_CA"
_CERTIFICATE: Final = "FARM_TLS_CERTIFICATE"
_KEY: Final = "FARM_TLS_KEY"
_SERVER_NAME: Final = "FARM_TLS_SERVER_NAME"
_BEARER: Final = "FARM_TOKEN"
_BEARER_FILE: Final = "FARM_TOKEN_FILE"


@dataclass(frozen=True, slots=True)
class Target:
    """A gateway; without `tls` the connection is not encrypted. `token` goes with every call."""

    address: str
    tls: "ClientTls | None"
    token: str | None = field(default=None, repr=False)


def target(
    connect: str | None, context: str | None, environment: Mapping[str, str] | None = None
) -> Target:
    """Return the gateway that a command means.

    That is --connect's, else the context's that --context names, else FARM_CONNECT's, else the
    current context's, else the one on this machine. Certificates and token are those of the
    named context, else of the variables FARM_TLS_… and FARM_TOKEN…, which go with an address and
    not with a context.

    Raises:
        ConfigurationError: there is no such context, the variables do not fit together, or a
            token's file cannot be read.
    """
    environment = os.environ if environment is None else environment
    address, known = _choice(connect, context, environment)
    if known is None:
        return Target(address, _tls_from(environment), _token_from(environment))
    token = None if known.token is None else _read_token(known.token)
    return Target(address, _tls_of(known), token)


def target_address(
    connect: str | None, context: str | None, environment: Mapping[str, str] | None = None
) -> str:
    """Return where `target` is, at once: without gRPC, and so without a look at certificates.

    Raises:
        ConfigurationError: there is no such context, or the address is none.
    """
    from farm.core.addresses import checked_address

    environment = os.environ if environment is None else environment
    return checked_address(_choice(connect, context, environment)[0])


def _choice(
    connect: str | None, context: str | None, environment: Mapping[str, str]
) -> "tuple[str, Context | None]":
    """Return the gateway's address, and the context that its certificates are of, if one is."""
    from farm.contexts import FarmHome

    home = FarmHome.of(environment)
    if context is not None:
        found = home.context(context)
        return connect or found.address, found
    address = connect or environment.get(_CONNECT)
    if address:
        return address, None
    current = home.current()
    if current is not None:
        found = home.context(current)
        return found.address, found
    return GRPC_ADDRESS, None


@contextmanager
def farm_client(connect: str | None, context: str | None) -> "Iterator[FarmClient]":
    """Yield a client of the gateway that a command means.

    Raises:
        ConfigurationError: as `target`, or a file of TLS cannot be used.
        UnreachableError: nobody answers; the message says who named the address.
    """
    _silence_grpc()
    from farm.client import FarmClient

    meant = target(connect, context)
    with (
        _told_where(connect, context, meant.address),
        FarmClient(meant.address, tls=meant.tls, token=meant.token) as client,
    ):
        yield client


def screen_client(connect: str | None, context: str | None) -> "AdminClient":
    """Return the operator's client for whoever closes it, and tells errors, itself.

    Raises:
        ConfigurationError: as `target`, or a file of TLS cannot be used.
    """
    _silence_grpc()
    from farm.client import AdminClient

    meant = target(connect, context)
    return AdminClient(meant.address, tls=meant.tls, token=meant.token)


@contextmanager
def admin_client(connect: str | None, context: str | None) -> "Iterator[AdminClient]":
    """Yield the operator's client, likewise.

    Raises:
        UnsupportedError, InternalError: the gateway cannot do it, or answers what is not
            understood; if it is of another version the message says so.
    """
    _silence_grpc()
    from farm.client import AdminClient

    meant = target(connect, context)
    with (
        _told_where(connect, context, meant.address),
        AdminClient(meant.address, tls=meant.tls, token=meant.token) as client,
    ):
        try:
            yield client
        except (UnsupportedError, InternalError, *_MISREAD) as error:
            difference = _difference(client)
            if not difference:
                raise
            if isinstance(error, FarmError):
                raise type(error)(f"{error.message} ({difference})") from error
            raise UnsupportedError(f"its answer is not understood ({difference})") from error


@contextmanager
def _told_where(connect: str | None, context: str | None, address: str) -> Iterator[None]:
    """Say of an address at which nobody answers who named it.

    Raises:
        ConfigurationError: it is a URL.
    """
    if "://" in address and not address.startswith("unix:"):
        raise ConfigurationError(
            f"the gateway's address '{address}' is a URL; write HOST:PORT alone, for example"
            f" {GRPC_ADDRESS}"
        )
    try:
        yield
    except UnreachableError as error:
        raise UnreachableError(
            f"{error.message} ({_origin(connect, context)})", retry_after_s=error.retry_after_s
        ) from error


def _origin(connect: str | None, context: str | None) -> str:
    """Return who named the address of `target`, in its order."""
    from farm.contexts import FarmHome

    if connect:
        return "--connect has this address"
    if context is not None:
        return f"the context '{context}' has this address"
    if os.environ.get(_CONNECT):
        return f"{_CONNECT} has this address"
    current = FarmHome.of(os.environ).current()
    if current is not None:
        return f"the current context, '{current}', has this address; `farm contexts ls`"
    return f"nothing says where else it is: --connect, {_CONNECT} or a context would"


def _difference(client: "AdminClient") -> str:
    """Return how the gateway's version differs from this command's; nothing if it does not."""
    from farm import __version__

    try:
        found = client.version(timeout_s=_VERSION_S)
    except UnsupportedError:
        return f"what answers at {client.address} is no farm's gateway"
    except FarmError:
        return ""
    if (found.protocol, found.farm_version) == (ADMIN_PROTOCOL, __version__):
        return ""
    advice = ""
    if found.protocol != ADMIN_PROTOCOL:
        older = "gateway" if found.protocol < ADMIN_PROTOCOL else "command"
        advice = f"; upgrade the {older}, which is the older one"
    return (
        f"the gateway is farm {found.farm_version} with protocol {found.protocol}, this command"
        f" {__version__} with {ADMIN_PROTOCOL}{advice}"
    )


def _silence_grpc() -> None:
    """Keep gRPC's own lines off standard error: what they tell is in the errors, in words.

    It reads the variable when it is imported.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")


def _tls_of(context: "Context") -> "ClientTls | None":
    from farm.client import ClientTls

    if context.ca is None:
        return None
    return ClientTls(
        ca=context.ca,
        certificate=context.certificate,
        key=context.key,
        server_name=context.server_name,
    )


def _tls_from(environment: Mapping[str, str]) -> "ClientTls | None":
    from farm.client import ClientTls

    ca, certificate, key = (
        Path(environment[name]) if environment.get(name) else None
        for name in (_CA, _CERTIFICATE, _KEY)
    )
    if ca is None:
        if certificate is not None or key is not None:
            raise ConfigurationError(
                f"{_CERTIFICATE} and {_KEY} are of no use without {_CA}, the farm's ca.pem"
            )
        return None
    if (certificate is None) is not (key is None):
        raise ConfigurationError(f"{_CERTIFICATE} and {_KEY} go together; set both or neither")
    return ClientTls(
        ca=ca,
        certificate=certificate,
        key=key,
        server_name=environment.get(_SERVER_NAME) or None,
    )


def _token_from(environment: Mapping[str, str]) -> str | None:
    token, file = environment.get(_BEARER), environment.get(_BEARER_FILE)
    if token and file:
        raise ConfigurationError(f"set {_BEARER} or {_BEARER_FILE}, not both")
    if file:
        return _read_token(Path(file))
    return token.strip() if token else None


def _read_token(path: Path) -> str:
    from farm.core.private_files import read_private

    return read_private(path).decode("utf-8", "replace").strip()
