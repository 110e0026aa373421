"""The screen in a browser of this machine.

Whoever may open the page may do all that its screen can. It is on loopback alone, and wants a
token that is new each time: first in the address, as it was printed, then as a cookie. Names
other than loopback's are refused, so that no page of another site can reach it by a name that
leads here (DNS rebinding), and so are its own requests (`Origin`).
"""

import logging
import shlex
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from hmac import compare_digest
from secrets import token_urlsafe
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from textual_serve.server import Server

from farm.core.errors import ConfigurationError
from tui.web_page import POLICY, refusal_page, screen_page

HOST: Final = "127.0.0.1"
_LOOPBACK: Final = frozenset({HOST, "localhost", "::1"})
_QUERY: Final = "token"
# What the screens of a page have to end in when the server does.
_SHUTDOWN_S: Final = 2.0

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ScreenPage:
    """A page that shows what a command shows; each visitor has a process of it to themselves."""

    def __init__(self, command: Sequence[str], *, port: int, title: str = "farm top") -> None:
        self.token = token_urlsafe(32)
        self._title = title
        # Browsers send cookies to every port of a host.
        self._cookie = f"farm_top_{port}"
        # Without a shell between, so that a screen sees when this process is gone.
        line = f"exec {shlex.join(command)}"
        self._screens = Server(line, host=HOST, port=port, title=title)
        self.address = f"http://{HOST}:{port}/?{_QUERY}={self.token}"

    def app(self) -> web.Application:
        """Return the application that serves it."""
        app = web.Application(middlewares=[self._guard])
        app.add_routes(
            [
                web.get("/", self._page),
                web.get("/ws", self._screens.handle_websocket),
                web.get("/download/{key}", self._screens.handle_download),
                web.static("/static", self._screens.statics_path),
            ]
        )
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        why = self._why_not(request)
        if why:
            return web.Response(
                status=403, text=refusal_page(why), content_type="text/html", headers=_HEADERS
            )
        return await handler(request)

    def _why_not(self, request: web.Request) -> str:
        """Return why a request is refused; empty if it is not."""
        host = request.headers.get("Host", "")
        if _name(host) not in _LOOPBACK:
            return (
                "This page is for browsers of the machine that it runs on, at 127.0.0.1 or"
                " localhost; from elsewhere forward its port with ssh -L."
            )
        origin = request.headers.get("Origin")
        if origin is not None and origin != f"http://{host}":
            return "Another page asks for this one. Only this page itself may."
        given = request.query.get(_QUERY) or request.cookies.get(self._cookie) or ""
        if not compare_digest(given.encode("utf-8", "surrogateescape"), self.token.encode()):
            return (
                "The address lacks the right token. Open the one that farm top --web printed; it"
                " is new each time that it starts."
            )
        return ""

    async def _page(self, request: web.Request) -> web.StreamResponse:
        if _QUERY in request.query:
            # The token leaves the address, and with it the history.
            moved = web.Response(status=303, headers={**_HEADERS, "Location": "/"})
            moved.set_cookie(self._cookie, self.token, httponly=True, samesite="Strict")
            return moved
        page = screen_page(self._title, f"ws://{request.host}/ws")
        return web.Response(text=page, content_type="text/html", headers=_HEADERS)


def _name(host: str) -> str | None:
    """Return the name in a Host header, without the port; None if it is nonsense."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


_HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def serve(command: Sequence[str], *, port: int = 0) -> None:
    """Serve a command's screen on loopback until SIGINT or SIGTERM; print the address.

    Raises:
        ConfigurationError: the port is taken, or may not be had.
    """
    try:
        listener = socket.create_server((HOST, port))
    except OSError as error:
        raise ConfigurationError(
            f"--port: {HOST}:{port} cannot be served: {error.strerror}; name another, or 0"
        ) from error
    page = ScreenPage(command, port=listener.getsockname()[1])
    # What textual-serve has to say is about its own screens, for the terminal.
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="farm: %(message)s")
    sys.stdout.write(f"{page.address}\n")
    sys.stdout.flush()
    web.run_app(
        page.app(),
        sock=listener,
        print=None,
        access_log=None,
        shutdown_timeout=_SHUTDOWN_S,
    )
