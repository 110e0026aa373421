"""`farm top` as its user starts it: in a terminal, in a browser, in neither."""

import os
import pty
import struct
import subprocess
import sys
import termios
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from fcntl import ioctl
from pathlib import Path
from select import select
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import aiohttp
import psutil
import pytest
from free_ports import free_address
from screen_gateway import ScreenGateway, served
from top_page import TopPage, top_page

from farm.pb import farm_admin_pb2 as admin
from tui.choices import read_choices

pytestmark = [pytest.mark.integration, pytest.mark.screen]

WAIT_S = 30.0


class Terminal:
    """What a process writes to its terminal."""

    def __init__(self, descriptor: int, process: "subprocess.Popen[bytes]") -> None:
        self._descriptor = descriptor
        self.process = process
        self.written = ""

    def press(self, keys: str) -> None:
        os.write(self._descriptor, keys.encode())

    def read(self) -> None:
        """Take what is written within a moment, so that its writer can go on."""
        ready, _, _ = select([self._descriptor], [], [], 0.1)
        if ready:
            self.written += os.read(self._descriptor, 65536).decode(errors="replace")

    def wait_for(self, text: str) -> None:
        """Wait until something is written; forget what came before it."""
        until = time.monotonic() + WAIT_S
        while text not in self.written:
            assert time.monotonic() < until, self.written
            self.read()
        self.written = self.written.partition(text)[2]


@contextmanager
def in_terminal(*arguments: str, lines: int = 24, columns: int = 80) -> Iterator[Terminal]:
    """Run `farm top` in a terminal until it ends by itself, without an error."""
    outer, inner = pty.openpty()
    ioctl(outer, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    with TemporaryDirectory() as home, subprocess.Popen(
        [sys.executable, "-m", "farm", "top", *arguments],
        stdin=inner, stdout=inner, stderr=inner, start_new_session=True,
        env={**os.environ, "TERM": "xterm-256color", "FARM_HOME": home},
    ) as process:  # fmt: skip
        os.close(inner)
        try:
            yield Terminal(outer, process)
            assert process.wait(WAIT_S) == 0
        finally:
            process.kill()
            os.close(outer)


def test_it_is_there_before_the_gateway_and_follows_it_when_that_comes() -> None:
    address = free_address()
    gateway = ScreenGateway()
    gateway.snapshot = admin.FarmSnapshot(
        farm_name="shelf", nodes=[admin.NodeSnapshot(node_id="pi-07", state="joining")]
    )
    with in_terminal("--connect", address) as terminal:
        terminal.wait_for(f"gateway {address}")
        terminal.wait_for("down")
        with served(gateway, address):
            terminal.wait_for("pi-07")
            terminal.press("q")


def test_a_small_terminal_and_a_question_mark() -> None:
    with in_terminal("--connect", free_address(), "--ascii", lines=12, columns=40) as terminal:
        terminal.wait_for("connecting")
        terminal.press("?")
        terminal.wait_for(" farm top ")
        terminal.press("qq")


def test_a_terminal_is_left_in_order_when_the_process_is_told_to_end() -> None:
    with in_terminal("--connect", free_address()) as terminal:
        terminal.wait_for("connecting")
        terminal.process.terminate()
        # The alternate screen is left, the cursor shown.
        terminal.wait_for("\x1b[?1049l")
        terminal.wait_for("\x1b[?25h")


def test_what_was_chosen_is_kept_when_the_terminal_goes_away(tmp_path: Path) -> None:
    state = tmp_path / "top-state.json"
    outer, inner = pty.openpty()
    with subprocess.Popen(
        ["setsid", "--ctty", sys.executable, "-m", "farm", "top", "--connect", free_address()],
        stdin=inner, stdout=inner, stderr=inner,
        env={**os.environ, "TERM": "xterm-256color", "FARM_HOME": str(tmp_path)},
    ) as process:  # fmt: skip
        os.close(inner)
        try:
            terminal = Terminal(outer, process)
            terminal.wait_for("connecting")
            terminal.press("t")
            until = time.monotonic() + WAIT_S
            while not state.exists():
                terminal.read()
                assert time.monotonic() < until
            os.close(outer)
            process.wait(WAIT_S)
        finally:
            process.kill()
    assert read_choices(state).theme == "farm-light"


def test_without_a_terminal_it_says_what_to_do() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "farm", "top"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=WAIT_S, check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    assert ended.stderr.startswith("farm: farm top needs a terminal; ")
    assert ended.stderr.count("\n") == 1


@asynccontextmanager
async def visiting(page: TopPage) -> AsyncIterator[list[psutil.Process]]:
    """Open a page; yield the processes of its screen, once that is there."""
    here = f"http://{urlsplit(page.url).netloc}"
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as visitor:
        async with visitor.get(f"{here}/") as response:
            assert response.status == 403
        async with visitor.get(page.url) as response:
            assert response.status == 200
            assert not response.url.query
            shown_at = response.url
        shown, own = "", {"Origin": here}
        async with visitor.ws_connect(f"{shown_at}ws?width=80&height=24", headers=own) as socket:
            while "gateway 127.0.0.1" not in shown:
                shown += (await socket.receive_bytes(timeout=WAIT_S)).decode()
            yield psutil.Process(page.process.pid).children(recursive=True)


async def test_a_page_has_a_process_to_itself_that_ends_with_it() -> None:
    with top_page("--connect", free_address()) as page:
        async with visiting(page) as screens:
            assert len(screens) == 1
        assert psutil.wait_procs(screens, WAIT_S)[1] == []


async def test_a_screen_ends_when_its_server_is_killed() -> None:
    with top_page("--connect", free_address()) as page:
        async with visiting(page) as screens:
            page.process.kill()
            assert psutil.wait_procs(screens, WAIT_S)[1] == []
