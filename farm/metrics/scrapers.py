"""Who may scrape from another machine: over TLS, with a certificate of the farm's or a token."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from farm.core.errors import ConfigurationError
from farm.core.file_stamps import FileStamp, stamp_of


class Admission(Protocol):
    """Says whether a scraper is let in, by the `Authorization` of its request and its certificate.

    The certificate, in DER, is of the CA that was asked for; None where none was. It is called
    on many threads.
    """

    def __call__(self, authorization: str, certificate: bytes | None) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrapeAccess:
    """How scrapers are known. The files are PEM, and read again when they change.

    With `clients_ca` a scraper must show a certificate that this CA has issued.
    """

    certificate: Path
    key: Path
    admits: Admission
    clients_ca: Path | None = None

    def files(self) -> tuple[Path, ...]:
        """Return all files that are read."""
        files = (self.certificate, self.key, self.clients_ca)
        return tuple(path for path in files if path is not None)


class ServerTls:
    """The gateway's end of TLS: a renewed certificate needs no restart."""

    def __init__(self, access: ScrapeAccess) -> None:
        """Read the files.

        Raises:
            ConfigurationError: one cannot be read, or is not what it should be.
        """
        self._access = access
        try:
            self._seen = self._stamps()
            self._context = self._read()
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"metrics: the certificate, key or CA of tls cannot be used ({error})"
            ) from error

    def context(self) -> ssl.SSLContext:
        """Return what the next connection is met with."""
        try:
            seen = self._stamps()
            if seen != self._seen:
                self._context, self._seen = self._read(), seen
        # Between the renewal of a key and of its certificate this is as it should be.
        except (OSError, ValueError):
            return self._context
        return self._context

    def _read(self) -> ssl.SSLContext:
        access = self._access
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # A key that needs a password must not ask a terminal for it.
        context.load_cert_chain(access.certificate, access.key, password="")
        if access.clients_ca is not None:
            context.load_verify_locations(access.clients_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _stamps(self) -> Mapping[Path, FileStamp]:
        return {path: stamp_of(path) for path in self._access.files()}
