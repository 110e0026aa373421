"""A screen behind a browser's socket: a process that ends with it."""

import asyncio
import json
from contextlib import suppress
from typing import Final

from aiohttp import WSMsgType, web
from textual_serve.app_service import AppService
from textual_serve.download_manager import DownloadManager

# How soon a browser that is gone without a word is missed.
_HEARTBEAT_S: Final = 15.0
# What a screen has to end in.
_END_S: Final = 3.0
_SIZE: Final = (80, 24)
# Cells, more than any screen has.
_MOST: Final = 1_000


async def show(request: web.Request, command: str) -> web.WebSocketResponse:
    """Show what a command shows to the other end of a socket, until either of them ends."""
    socket = web.WebSocketResponse(heartbeat=_HEARTBEAT_S)
    await socket.prepare(request)

    async def close() -> None:
        await socket.close(drain=False)

    screen = _Screen(
        command,
        write_bytes=socket.send_bytes,
        write_str=socket.send_str,
        close=close,
        download_manager=DownloadManager(),
        debug=False,
    )
    width, height = (
        _cells(request.query.get(name), otherwise)
        for name, otherwise in zip(("width", "height"), _SIZE, strict=True)
    )
    await screen.start(width, height)
    try:
        # A browser that goes away while something is told to it is no error.
        with suppress(OSError):
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await _obey(message.data, screen, socket)
    finally:
        await screen.stop()
        await socket.close()
    return socket


class _Screen(AppService):
    """A process of the command; its socket is closed when it ends, and it is ended by `stop`."""

    async def run(self) -> None:
        try:
            await super().run()
        finally:
            await self.remote_close()

    async def stop(self) -> None:
        process = self._process
        try:
            # Apart: what runs in `super` takes the first timeout for its own end, and returns.
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(_END_S):
                    await super().stop()
            # Whoever writes to nobody hears nothing: what it has to say is read, and left.
            if process is not None:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_END_S):
                        await process.communicate()
        finally:
            if process is not None and process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.communicate()


async def _obey(text: str, screen: AppService, socket: web.WebSocketResponse) -> None:
    """Do what textual-serve's page asks for; what is nothing of the kind is left."""
    match _said(text):
        case ["stdin", str(typed)]:
            await screen.send_bytes(typed.encode("utf-8", "replace"))
        case ["resize", {"width": width, "height": height}]:
            columns, lines = _SIZE
            await screen.set_terminal_size(_cells(width, columns), _cells(height, lines))
        case ["ping", sent]:
            await socket.send_json(["pong", sent])
        case ["blur", *_]:
            await screen.blur()
        case ["focus", *_]:
            await screen.focus()


def _said(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _cells(told: object, otherwise: int) -> int:
    """Return how many cells a browser has, as it told."""
    try:
        return min(max(int(str(told)), 1), _MOST)
    except ValueError:
        return otherwise
