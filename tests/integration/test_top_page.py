"""`farm top --web` in a real browser: the page opens, and a key press works."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from screen_gateway import ScreenGateway, served
from top_page import top_page

from farm.pb import farm_admin_pb2 as admin

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
WAIT_S = 60
LISTENING = b"DevTools listening on "

pytestmark = [
    pytest.mark.integration,
    pytest.mark.browser,
    pytest.mark.skipif(
        BROWSER is None, reason="there is no Chromium here; Debian has it: apt install chromium"
    ),
]


class Tab:
    """A page of a browser, by the DevTools protocol."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._calls = 0
        self.console: list[str] = []

    async def call(self, method: str, **parameters: Any) -> Any:
        """Call a method and return its result; what the page says meanwhile is kept."""
        self._calls += 1
        await self._socket.send_json({"id": self._calls, "method": method, "params": parameters})
        while True:
            message = await self._socket.receive_json(timeout=WAIT_S)
            if message.get("method") == "Log.entryAdded":
                self.console.append(message["params"]["entry"]["text"])
            if message.get("id") == self._calls:
                assert "error" not in message, message
                return message["result"]

    async def evaluate(self, expression: str) -> Any:
        result = await self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        return result["result"].get("value")

    async def press(self, key: str) -> None:
        await self.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=key)
        await self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    async def open(self, url: str) -> None:
        """Go to a page and wait until it is loaded."""
        await self.call("Page.enable")
        await self.call("Page.navigate", url=url)
        while (await self._socket.receive_json(timeout=WAIT_S))["method"] != "Page.loadEventFired":
            pass

    async def body_has(self, name: str) -> bool:
        return name in (await self.evaluate("document.body.className")).split()

    async def until_body_has(self, name: str) -> None:
        """Wait until the page's body has a class."""
        await self.evaluate(BODY_HAS % name)


# Resolves once the body has a class.
BODY_HAS = """new Promise(done => {
  const look = () => { if (document.body.classList.contains("%s")) done() };
  new MutationObserver(look).observe(document.body, {attributes: true});
  look();
})"""


@asynccontextmanager
async def tab(profile: Path) -> AsyncIterator[Tab]:
    """Open a browser with an empty page."""
    assert BROWSER is not None
    # The browser's sandbox does not run as root.
    unboxed = ("--no-sandbox",) if os.geteuid() == 0 else ()
    process = await asyncio.create_subprocess_exec(
        BROWSER, "--headless", "--disable-gpu", "--disable-dev-shm-usage", *unboxed,
        f"--user-data-dir={profile}", "--remote-debugging-port=0", "about:blank",
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        async with asyncio.timeout(WAIT_S):
            while not (line := await process.stderr.readline()).startswith(LISTENING):
                assert line, "the browser ended"
        host = urlsplit(line.removeprefix(LISTENING).decode().strip()).netloc
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://{host}/json/list") as response:
                pages = [page for page in await response.json() if page["type"] == "page"]
            url = pages[0]["webSocketDebuggerUrl"]
            async with session.ws_connect(url, max_msg_size=0) as socket:
                yield Tab(socket)
    finally:
        process.kill()
        await process.wait()


async def test_the_page_opens_and_keys_reach_the_screen(tmp_path: Path) -> None:
    gateway = ScreenGateway()
    gateway.snapshot = admin.FarmSnapshot(
        farm_name="shelf", nodes=[admin.NodeSnapshot(node_id="pi-07", state="joining")]
    )
    with served(gateway) as farm, top_page("--connect", farm) as served_page:
        async with tab(tmp_path) as page:
            await page.call("Log.enable")
            await page.open(served_page.url)
            assert await page.evaluate("location.search") == ""
            await page.until_body_has("-first-byte")
            await page.evaluate("document.querySelector('.xterm-helper-textarea').focus()")
            # The help takes the first q, the screen the second one, and ends.
            for key in "?qt":
                await page.press(key)
            assert not await page.body_has("-closed")
            await page.press("q")
            await page.until_body_has("-closed")
            assert not [line for line in page.console if "Content Security Policy" in line]
