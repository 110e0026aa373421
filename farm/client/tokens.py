"""The token that a client shows with every call."""

from farm.client.tls import ClientTls
from farm.core.addresses import on_loopback
from farm.core.errors import ConfigurationError
from farm.core.tokens import is_token


def shown_token(
    token: str | None, address: str, tls: ClientTls | None
) -> tuple[tuple[str, str], ...]:
    """Return what goes with every call to an address for a token to be shown.

    Raises:
        ConfigurationError: it is no token of a farm's, or whoever is on the way could read it.
    """
    if token is None:
        return ()
    # It is in no message: what is like a token may be one with a letter too many.
    if not is_token(token):
        raise ConfigurationError(
            "what was given as a token is none: it must be one line as `farm tokens issue` prints"
            " it, farm_ and more"
        )
    if tls is None and not on_loopback(address):
        raise ConfigurationError(
            f"a token would go to {address} for all on the way to read: it needs TLS, with the"
            " farm's ca.pem (FARM_TLS_CA, or `tls` of the client)"
        )
    return (("authorization", f"Bearer {token}"),)
