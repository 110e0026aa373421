"""Where the metrics are scraped: plain HTTP, on a thread of its own."""

import socket
from socketserver import ThreadingMixIn
from threading import Thread
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app

from farm.core.errors import ConfigurationError
from farm.core.handover import take_new_connections


class MetricsServer:
    """Serves a registry over HTTP at /metrics."""

    def __init__(
        self, registry: CollectorRegistry, *, host: str, port: int, shared: bool = False
    ) -> None:
        """Begin to serve; `port` 0 lets the system choose.

        A `shared` address may be taken over by a newer process, as this one takes it over from
        an older one.

        Raises:
            ConfigurationError: the address cannot be bound.
        """
        try:
            self._server = _Server(host, port, shared=shared)
        except OSError as error:
            raise ConfigurationError(
                f"the metrics address {host}:{port} cannot be bound ({error.strerror}); choose"
                " another port"
            ) from error
        self._server.set_app(make_wsgi_app(registry))
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


class _Server(ThreadingMixIn, WSGIServer):
    """One thread a scrape: a scraper that hangs holds up no other."""

    daemon_threads = True

    def __init__(self, host: str, port: int, *, shared: bool) -> None:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family = found[0][0]
        self.allow_reuse_port = shared
        super().__init__((host, port), _Quiet)


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: a scrape is no event."""
