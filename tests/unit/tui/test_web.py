"""The page of `farm top --web`: who may see it."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientResponse, WSServerHandshakeError
from aiohttp.test_utils import TestClient, TestServer

from tui.web import ScreenPage
from tui.web_page import screen_page


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


@pytest.mark.parametrize("path", ["/", "/?token=", "/?token=wrong", "/?token=ä", "/ws", "/static/"])
async def test_without_the_token_nothing_is_shown(client: TestClient, path: str) -> None:
    await refused(await client.get(path, allow_redirects=False), "lacks the right token")


async def test_with_the_token_it_is_shown_and_the_token_leaves_the_address(
    client: TestClient, page: ScreenPage
) -> None:
    moved = await client.get(f"/?token={page.token}", allow_redirects=False)
    assert (moved.status, moved.headers["Location"]) == (303, "/")
    cookie = moved.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    shown = await client.get("/")
    assert shown.status == 200
    text = await shown.text()
    assert f'url="ws://127.0.0.1:{client.port}/ws"' in text
    assert page.token not in text
    assert "script-src 'self'" in shown.headers["Content-Security-Policy"]
    assert (await client.get("/static/js/textual.js")).status == 200


async def test_a_websocket_wants_the_token_too(client: TestClient) -> None:
    for path in ("/ws", "/ws?token=wrong"):
        with pytest.raises(WSServerHandshakeError) as error:
            await client.ws_connect(path)
        assert error.value.status == 403


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
    response = await client.get(f"/ws?token={page.token}", headers={"Origin": origin})
    await refused(response, "Another page asks")


async def test_each_page_has_a_token_of_its_own() -> None:
    tokens = {ScreenPage(["true"], port=0).token for _ in range(3)}
    assert len(tokens) == 3
    assert all(len(token) >= 43 for token in tokens)


def test_a_title_is_never_markup() -> None:
    assert "<b>" not in screen_page("<b>", '"><script>')
    assert '"><script>' not in screen_page("<b>", '"><script>')
