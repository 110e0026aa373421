"""The screen in a browser of this machine.

Whoever may open the page may do all that its screen can. It is on loopback alone, and wants a
token that is new each time: first in the address, as it was printed, then as a cookie of a path
that is new each time too. Names other than loopback's are refused, so that no page of another
site can reach it by a name that leads here (DNS rebinding), and so are requests of other pages
(`Origin`), those at other ports of this machine included.
"""

import logging
import shlex
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from hmac import compare_digest
from pathlib import Path
from secrets import token_urlsafe
from typing import Final
from urllib.parse import urlsplit

import textual_serve
from aiohttp import web

from farm.core.errors import ConfigurationError
from tui.web_page import POLICY, refusal_page, screen_page
from tui.web_screen import show

HOST: Final = "127.0.0.1"
_LOOPBACK: Final = frozenset({HOST, "localhost", "::1"})
_QUERY: Final = "token"
_COOKIE: Final = "farm_top"
# Scripts and fonts of textual-serve's own page.
_STATICS: Final = Path(textual_serve.__file__).parent / "static"
# What the screens of a page have to end in when the server does.
_SHUTDOWN_S: Final = 2.0

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ScreenPage:
    """A page that shows what a command shows; each visitor has a process of it to themselves."""

    def __init__(self, command: Sequence[str], *, port: int, title: str = "farm top") -> None:
        self.token = token_urlsafe(32)
        # Browsers send cookies to every port of a host, but to no path that nobody there knows.
        self.path = f"/{token_urlsafe(16)}/"
        self._title = title
        # Without a shell between, so that a screen sees when this process is gone.
        self._command = f"exec {shlex.join(command)}"
        self.address = f"http://{HOST}:{port}/?{_QUERY}={self.token}"

    def app(self) -> web.Application:
        """Return the application that serves it."""
        app = web.Application(middlewares=[self._guard])
        app.add_routes(
            [
                web.get("/", self._enter),
                web.get(self.path, self._page),
                web.get(f"{self.path}ws", self._socket),
                web.static(f"{self.path}static", _STATICS),
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
        # Browsers tell it with every socket; a page that is asked for may come without.
        origin = request.headers.get("Origin", "" if "Upgrade" in request.headers else None)
        if origin not in {None, f"http://{host}"}:
            return "Another page asks for this one. Only this page itself may."
        entered = request.path == "/"
        given = request.query.get(_QUERY) if entered else request.cookies.get(_COOKIE)
        if not compare_digest(
            (given or "").encode("utf-8", "surrogateescape"), self.token.encode()
        ):
            return (
                "The address lacks the right token. Open the one that farm top --web printed; it"
                " is new each time that it starts."
            )
        return ""

    async def _enter(self, _: web.Request) -> web.StreamResponse:
        """Send a visitor with the token on: it leaves the address, and with it the history."""
        moved = web.Response(status=303, headers={**_HEADERS, "Location": self.path})
        moved.set_cookie(_COOKIE, self.token, path=self.path, httponly=True, samesite="Strict")
        return moved

    async def _page(self, request: web.Request) -> web.StreamResponse:
        page = screen_page(self._title, f"ws://{request.host}{self.path}ws")
        return web.Response(text=page, content_type="text/html", headers=_HEADERS)

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        return await show(request, self._command)


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
