"""Where the metrics are scraped, over HTTP, or over HTTPS from other machines."""

import socket
import ssl
import time
from collections.abc import Iterable
from contextlib import suppress
from io import BufferedIOBase
from socketserver import ThreadingMixIn
from threading import BoundedSemaphore, Thread
from typing import TYPE_CHECKING, Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app

from farm.core.errors import ConfigurationError
from farm.core.handover import take_new_connections
from farm.metrics.scrapers import Admission, ScrapeAccess, ServerTls

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from _typeshed import ReadableBuffer

# Of one connection: for its handshake, and for each time that it is waited for.
_PATIENCE_S: Final = 10.0
# And for all together: who sends or reads a byte now and then must not keep a thread.
_LONGEST_S: Final = 60.0
# Who comes while so many are served is turned away.
_AT_ONCE: Final = 64

_CERTIFICATE: Final = "farm.certificate"


class MetricsServer:
    """Serves a registry at /metrics, on threads of its own."""

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        host: str,
        port: int,
        access: ScrapeAccess | None = None,
        shared: bool = False,
    ) -> None:
        """Begin to serve; `port` 0 lets the system choose.

        Without `access` it is plain HTTP for whoever reaches it, else HTTPS. A `shared` address
        may be taken over by a newer process, as this one takes it over from an older one.

        Raises:
            ConfigurationError: the address cannot be bound, or a file of TLS not be used.
        """
        tls = None if access is None else ServerTls(access)
        try:
            self._server = _Server(host, port, tls=tls, shared=shared)
        except OSError as error:
            raise ConfigurationError(
                f"the metrics address {host}:{port} cannot be bound ({error.strerror}); choose"
                " another port"
            ) from error
        page: WSGIApplication = make_wsgi_app(registry)
        self._server.set_app(page if access is None else _for_the_admitted(page, access.admits))
        self.port = self._server.server_port
        if shared:
            take_new_connections(self._server.socket)
        self._thread = Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _for_the_admitted(page: "WSGIApplication", admits: Admission) -> "WSGIApplication":
    """Return a page that only those see who are let in."""

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if admits(environ.get("HTTP_AUTHORIZATION", ""), environ[_CERTIFICATE]):
            return page(environ, start_response)
        start_response(
            "401 Unauthorized",
            [("Content-Type", "text/plain; charset=utf-8"), ("WWW-Authenticate", "Bearer")],
        )
        return [
            b"these metrics are for who shows a token of the farm's that is good (`farm tokens"
            b" issue`), or a certificate that has not been taken back\n"
        ]

    return answer


class _Server(ThreadingMixIn, WSGIServer):
    """One thread a scrape: a scraper that hangs holds up no other."""

    daemon_threads = True

    def __init__(self, host: str, port: int, *, tls: ServerTls | None, shared: bool) -> None:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family = found[0][0]
        self.allow_reuse_port = shared
        self._tls = tls
        self._free = BoundedSemaphore(_AT_ONCE)
        # Connections that are served, with when they came.
        self._served: dict[socket.socket, float] = {}
        super().__init__((host, port), _Quiet)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection on a thread, unless too many are served already."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            # No thread could be started, to let go of it in the end.
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        came_at = time.monotonic()
        try:
            request = self._met(request)
            self._served[request] = came_at
            super().process_request_thread(request, client_address)
        # Who left before a word was said.
        except OSError:
            self.shutdown_request(request)
        finally:
            self._served.pop(request, None)
            self._free.release()

    def service_actions(self) -> None:
        """End what takes too long, twice a second; its thread sees that and lets go of it."""
        now = time.monotonic()
        for connection, came_at in self._served.copy().items():
            if now - came_at > _LONGEST_S:
                with suppress(OSError):
                    # That of TLS is not for other threads.
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def _met(self, request: socket.socket) -> socket.socket:
        """Return a connection as it is to be served: encrypted, but before its handshake."""
        request.settimeout(_PATIENCE_S)
        if self._tls is None:
            return request
        return self._tls.context().wrap_socket(
            request, server_side=True, do_handshake_on_connect=False
        )

    def finish_request(self, request: Any, client_address: Any) -> None:
        try:
            if isinstance(request, ssl.SSLSocket):
                request.do_handshake()
            super().finish_request(request, client_address)
        # Who leaves, says nothing or shows nothing good; strangers must not fill the log.
        except OSError:
            return


class _Page(BufferedIOBase):
    """What is written to a scraper; one that left is a broken pipe, encrypted or not.

    Of those, and of no others, the log is spared.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def writable(self) -> bool:
        return True

    def write(self, data: "ReadableBuffer") -> int:
        try:
            self._connection.sendall(data)
        except OSError as error:
            raise BrokenPipeError("the scraper has left") from error
        return memoryview(data).nbytes


class _Quiet(WSGIRequestHandler):
    def setup(self) -> None:
        own = self.request
        # Of a connection that was cut meanwhile it would not be known any more.
        self._shown = own.getpeercert(binary_form=True) if isinstance(own, ssl.SSLSocket) else None
        super().setup()
        self.wfile = _Page(own)

    def get_environ(self) -> dict[str, Any]:
        return {**super().get_environ(), _CERTIFICATE: self._shown}

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: a scrape is no event."""
