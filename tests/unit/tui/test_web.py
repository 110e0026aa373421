"""The page of `farm top --web`: who may see it."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientResponse, WSMsgType, WSServerHandshakeError
from aiohttp.test_utils import TestClient, TestServer

from tui import web_screen
from tui.web import ScreenPage
from tui.web_page import screen_page

WAIT_S = 10.0


@pytest.fixture
def page() -> ScreenPage:
    return ScreenPage(["true"], port=0)


@pytest.fixture
async def client(page: ScreenPage) -> "AsyncIterator[TestClient[object, object]]":
    async with TestClient(TestServer(page.app())) as client:
        yield client


async def refused(response: ClientResponse, why: str) -> None:
    assert response.status == 403
    assert why in await response.text()


async def enter(client: "TestClient[object, object]", page: ScreenPage) -> ClientResponse:
    """Open the printed address, and keep the cookie that it gives."""
    return await client.get(f"/?token={page.token}", allow_redirects=False)


def own(client: "TestClient[object, object]") -> dict[str, str]:
    """Headers that a browser sends with a socket of this page."""
    return {"Origin": f"http://127.0.0.1:{client.port}"}


@pytest.mark.parametrize("path", ["/", "/?token=", "/?token=wrong", "/?token=ä", "/ws", "/static/"])
async def test_without_the_token_nothing_is_shown(client: TestClient, path: str) -> None:
    await refused(await client.get(path, allow_redirects=False), "lacks the right token")


@pytest.mark.parametrize("below", ["", "ws", "static/js/textual.js", "elsewhere"])
async def test_below_the_door_the_cookie_alone_counts(
    client: TestClient, page: ScreenPage, below: str
) -> None:
    path = f"{page.path}{below}?token={page.token}"
    await refused(await client.get(path), "lacks the right token")


async def test_with_the_token_it_is_shown_and_the_token_leaves_the_address(
    client: TestClient, page: ScreenPage
) -> None:
    moved = await enter(client, page)
    assert (moved.status, moved.headers["Location"]) == (303, page.path)
    shown = await client.get(page.path)
    assert shown.status == 200
    text = await shown.text()
    assert f'url="ws://127.0.0.1:{client.port}{page.path}ws"' in text
    assert page.token not in text
    assert "script-src 'self'" in shown.headers["Content-Security-Policy"]
    assert (await client.get(f"{page.path}static/js/textual.js")).status == 200


async def test_no_other_port_of_the_machine_gets_the_cookie(
    client: TestClient, page: ScreenPage
) -> None:
    """Browsers do not tell ports apart, but paths; nobody else knows this one."""
    cookie = (await enter(client, page)).cookies["farm_top"]
    assert cookie["path"] == page.path
    assert len(page.path) >= 22
    assert page.path != ScreenPage(["true"], port=0).path
    assert cookie["httponly"]
    assert cookie["samesite"] == "Strict"
    assert not cookie["domain"]
    await refused(await client.get("/", allow_redirects=False), "lacks the right token")


async def test_a_socket_wants_the_cookie_and_its_own_page(
    client: TestClient, page: ScreenPage
) -> None:
    async def status(**headers: str) -> int:
        with pytest.raises(WSServerHandshakeError) as error:
            await client.ws_connect(f"{page.path}ws", headers=headers)
        return error.value.status

    assert await status(**own(client)) == 403
    await enter(client, page)
    assert await status() == 403
    assert await status(Origin="http://127.0.0.1:1") == 403
    assert await status(Origin="null") == 403
    assert await status(Host="evil.example", Origin="http://evil.example") == 403


async def test_each_window_has_a_screen_of_its_own_that_ends_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also a screen that hears nothing, as it writes to a browser that does not read."""
    monkeypatch.setattr(web_screen, "_END_S", 0.2)
    deaf = (
        "import os, pathlib, sys, time; print('__GANGLION__', flush=True);"
        " (pathlib.Path(sys.argv[1]) / str(os.getpid())).touch(); time.sleep(60)"
    )
    page = ScreenPage([sys.executable, "-c", deaf, str(tmp_path)], port=0)
    async with TestClient(TestServer(page.app())) as client:
        await enter(client, page)
        before = asyncio.all_tasks()
        windows = [
            await client.ws_connect(f"{page.path}ws?width=x&height=9", headers=own(client))
            for _ in range(2)
        ]
        async with asyncio.timeout(WAIT_S):
            pids = await begun(tmp_path, 2)
            for sent in ("nonsense", "[]", '["resize", {"width": "x", "height": 1e999}]', "[[]]"):
                await windows[0].send_str(sent)
            await windows[0].send_json(["ping", 4])
            assert await windows[0].receive_json() == ["pong", 4]
            for window in windows:
                await window.close()
            await ended(before)
        assert not any(map(runs, pids))


async def test_a_screen_that_ends_closes_its_window(client: TestClient, page: ScreenPage) -> None:
    await enter(client, page)
    before = asyncio.all_tasks()
    window = await client.ws_connect(f"{page.path}ws", headers=own(client))
    async with asyncio.timeout(WAIT_S):
        assert (await window.receive()).type is WSMsgType.CLOSE
        await ended(before)


async def begun(folder: Path, count: int) -> list[int]:
    """Wait for processes that put their number into a folder."""
    while len(pids := numbers_in(folder)) < count:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.01)
    return pids


def numbers_in(folder: Path) -> list[int]:
    return [int(path.name) for path in folder.iterdir()]


async def ended(before: "set[asyncio.Task[object]]") -> None:
    """Wait until the server does no more than it did before."""
    while asyncio.all_tasks() - before:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.01)


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "", "[::1", "10.0.0.1"])
async def test_a_name_that_is_not_loopback_is_refused(
    client: TestClient, page: ScreenPage, host: str
) -> None:
    response = await client.get(f"/?token={page.token}", headers={"Host": host})
    await refused(response, "browsers of the machine that it runs on")


@pytest.mark.parametrize("host", ["localhost:4711", "127.0.0.1:80", "[::1]:8000"])
async def test_a_port_may_be_forwarded(client: TestClient, page: ScreenPage, host: str) -> None:
    response = await client.get(
        f"/?token={page.token}", headers={"Host": host}, allow_redirects=False
    )
    assert response.status == 303


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1:1", "null"])
async def test_another_page_may_not_ask(client: TestClient, page: ScreenPage, origin: str) -> None:
    response = await client.get(f"/?token={page.token}", headers={"Origin": origin})
    await refused(response, "Another page asks")


async def test_each_page_has_a_token_of_its_own() -> None:
    tokens = {ScreenPage(["true"], port=0).token for _ in range(3)}
    assert len(tokens) == 3
    assert all(len(token) >= 43 for token in tokens)


def test_a_title_is_never_markup() -> None:
    assert "<b>" not in screen_page("<b>", '"><script>')
    assert '"><script>' not in screen_page("<b>", '"><script>')
