"""A client's end of TLS: whom it trusts and what it shows."""

import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc

from farm.core.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientTls:
    """PEM files: the CA that has issued the gateway's certificate, and one's own certificate.

    `certificate` and `key` go together; a gateway may do without. `server_name` is the name to
    find in the gateway's certificate where that is not the address's.
    """

    ca: Path
    certificate: Path | None = None
    key: Path | None = None
    server_name: str | None = None

    def options(self) -> tuple[tuple[str, str], ...]:
        """Return the options that a channel needs beside the credentials."""
        if not self.server_name:
            return ()
        return (("grpc.ssl_target_name_override", self.server_name),)

    def credentials(self) -> grpc.ChannelCredentials:
        """Return what the files hold, for gRPC.

        Raises:
            ConfigurationError: a file is missing or is not what it should be.
        """
        self._check()
        return grpc.ssl_channel_credentials(
            root_certificates=_content(self.ca),
            private_key=_content(self.key),
            certificate_chain=_content(self.certificate),
        )

    def _check(self) -> None:
        """See that the files fit: of those that do not, gRPC says only that nobody answers."""
        if (self.certificate is None) is not (self.key is None):
            raise ConfigurationError("a certificate needs its key, and a key its certificate")
        for path in (self.ca, self.certificate, self.key):
            _content(path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(self.ca)
        except (ssl.SSLError, ValueError) as error:
            raise ConfigurationError(f"{self.ca} holds no PEM certificate of a CA") from error
        if self.certificate is None:
            return
        try:
            # A key that needs a password must not ask a terminal for it.
            context.load_cert_chain(self.certificate, self.key, password="")
        except (ssl.SSLError, ValueError) as error:
            raise ConfigurationError(
                f"{self.certificate} and {self.key} are not a certificate and its key, both PEM and"
                " without a password"
            ) from error


def _content(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
