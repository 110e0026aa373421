"""The gateway's end of TLS: its certificate, and whose certificates it takes."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc
import structlog

from farm.core.errors import ConfigurationError
from farm.core.file_stamps import FileStamp, stamp_of

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings:
    """PEM files. With `clients_ca` a client must show a certificate that this CA has issued."""

    certificate: Path
    key: Path
    clients_ca: Path | None = None

    def files(self) -> tuple[Path, ...]:
        """Return all files that are read."""
        files = (self.certificate, self.key, self.clients_ca)
        return tuple(path for path in files if path is not None)


def server_credentials(settings: TlsSettings) -> grpc.ServerCredentials:
    """Return credentials that follow their files: a renewed certificate needs no restart.

    Raises:
        ConfigurationError: a file cannot be read, or is not what it should be.
    """
    files = _Files(settings)
    return grpc.dynamic_ssl_server_credentials(
        files.read(),
        files.changed,  # type: ignore[arg-type]  # the stubs forget that it may return None
        require_client_authentication=settings.clients_ca is not None,
    )


class _Files:
    """Reads the files again when they change. gRPC asks at every handshake, on its threads."""

    def __init__(self, settings: TlsSettings) -> None:
        self._settings = settings
        self._seen: Mapping[Path, FileStamp] = {}

    def read(self) -> grpc.ServerCertificateConfiguration:
        """Return what the files hold."""
        settings = self._settings
        try:
            self._seen = self._stamps()
            contents = {path: path.read_bytes() for path in settings.files()}
        except OSError as error:
            raise ConfigurationError(
                f"tls: {error.filename} cannot be read ({error.strerror}); `farm bootstrap` puts"
                " it there"
            ) from error
        _check(settings)
        return grpc.ssl_server_certificate_configuration(
            [(contents[settings.key], contents[settings.certificate])],
            root_certificates=contents[settings.clients_ca] if settings.clients_ca else None,
        )

    def changed(self) -> grpc.ServerCertificateConfiguration | None:
        """Return what to use from now on, or None to go on with what is in use."""
        try:
            if self._stamps() == self._seen:
                return None
            read = self.read()
        except (OSError, ConfigurationError) as error:
            # Between the renewal of a key and of its certificate this is as it should be.
            _log.warning("certificate_not_reloaded", reason=str(error))
            return None
        _log.info("certificate_reloaded", certificate=str(self._settings.certificate))
        return read

    def _stamps(self) -> Mapping[Path, FileStamp]:
        return {path: stamp_of(path) for path in self._settings.files()}


def _check(settings: TlsSettings) -> None:
    """See that the files fit: of those that do not, gRPC says only that it cannot bind."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # A key that needs a password must not ask a terminal for it.
        context.load_cert_chain(settings.certificate, settings.key, password="")
        if settings.clients_ca is not None:
            context.load_verify_locations(settings.clients_ca)
    except (ssl.SSLError, ValueError, OSError) as error:
        raise ConfigurationError(
            f"tls: {settings.certificate} and {settings.key} are not a certificate and its key"
            f"{f', or {settings.clients_ca} is no certificate' if settings.clients_ca else ''}:"
            " PEM is expected, without a password; `farm bootstrap` issues them anew"
        ) from error
