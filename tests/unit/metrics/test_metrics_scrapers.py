"""Who reads the metrics from another machine, over real TLS."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest
from farm_certificates import new_authority, write_certificate
from farm_process import wait_until
from prometheus_client import CollectorRegistry, Counter

from farm.core.clock import SystemClock
from farm.core.errors import ConfigurationError
from farm.core.host_tls import HostTls
from farm.core.identities import IdentityKind
from farm.core.roles import Role
from farm.core.token_files import write_tokens
from farm.core.tokens import Tokens
from farm.frontend import tokens as tokens_module
from farm.frontend.scraping import ScrapeAdmission
from farm.frontend.tokens import TokenFile
from farm.metrics import server as module
from farm.metrics.scrapers import ScrapeAccess
from farm.metrics.server import MetricsServer

HOST = "127.0.0.1"
# The head of a record, and of a message in it that would be longer.
HALF_A_HANDSHAKE = b"\x16\x03\x01\x3f\xff\x01\x00\x3f\xfb"
AUTHORITY, OTHER = new_authority(), new_authority()


@pytest.fixture(autouse=True)
def _looks_at_every_scrape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens_module, "_LOOK_S", 0.0)


@pytest.fixture
def own(tmp_path: Path) -> HostTls:
    return write_certificate(tmp_path, AUTHORITY, "pi-head", HOST)


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json"


@pytest.fixture
def token(tokens: Path) -> str:
    issued, text = Tokens().issue("prometheus", Role.INFER, now=datetime.now(UTC), days=1)
    write_tokens(tokens, issued)
    return text


@pytest.fixture
def serve(own: HostTls) -> Iterator[Callable[..., int]]:
    """Serve one counter, to who shows a certificate, or a token of a file; return the port."""
    with ExitStack() as servers:

        def start(*, mutual: bool, tokens: Path | None = None) -> int:
            registry = CollectorRegistry()
            Counter("farm_things", "Things.", registry=registry).inc(7)
            access = ScrapeAccess(
                certificate=own.certificate,
                key=own.key,
                clients_ca=own.ca if mutual else None,
                admits=ScrapeAdmission(tokens=TokenFile(tokens, SystemClock()) if tokens else None),
            )
            made = MetricsServer(registry, host=HOST, port=0, access=access)
            servers.enter_context(closing(made))
            return made.port

        yield start


def scraped(port: int, ca: Path, *, shows: HostTls | None = None, token: str | None = None) -> str:
    context = ssl.create_default_context(cafile=str(ca))
    if shows is not None:
        context.load_cert_chain(shows.certificate, shows.key)
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    request = Request(f"https://{HOST}:{port}/metrics", headers=headers)
    with urlopen(request, context=context, timeout=30) as page:  # noqa: S310
        text: str = page.read().decode()
    return text


def refused(port: int, ca: Path, token: str | None) -> str:
    with pytest.raises(HTTPError) as caught:
        scraped(port, ca, token=token)
    with caught.value as answer:
        assert answer.code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        return answer.read().decode()


def test_a_scraper_with_a_good_token_is_let_in(
    serve: Callable[..., int], own: HostTls, tokens: Path, token: str
) -> None:
    port = serve(mutual=False, tokens=tokens)
    assert "farm_things_total 7.0" in scraped(port, own.ca, token=token)


def test_a_scraper_without_a_good_token_is_not(
    serve: Callable[..., int], own: HostTls, tokens: Path, token: str
) -> None:
    port = serve(mutual=False, tokens=tokens)
    wrong = token[:-1] + ("0" if token[-1] != "0" else "1")
    said = {refused(port, own.ca, shown) for shown in (None, "", wrong, "x", f"farm_{wrong}")}
    assert len(said) == 1 and "farm_things" not in said.pop()
    write_tokens(tokens, Tokens())
    refused(port, own.ca, token)


def test_a_scraper_shows_a_certificate_where_clients_do(
    serve: Callable[..., int], own: HostTls, tmp_path: Path
) -> None:
    port = serve(mutual=True)
    bob = write_certificate(tmp_path, AUTHORITY, "bob", kind=IdentityKind.CLIENT)
    assert "farm_things_total 7.0" in scraped(port, own.ca, shows=bob)
    eve = write_certificate(tmp_path, OTHER, "eve", kind=IdentityKind.CLIENT)
    for shows in (None, eve):
        with pytest.raises((URLError, ssl.SSLError, ConnectionError)):
            scraped(port, own.ca, shows=shows)


def test_nothing_is_told_to_who_does_not_encrypt(serve: Callable[..., int], tokens: Path) -> None:
    write_tokens(tokens, Tokens())
    port = serve(mutual=False, tokens=tokens)
    with socket.create_connection((HOST, port), timeout=30) as stranger:
        stranger.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        got = b""
        try:
            while more := stranger.recv(1024):
                got += more
        except ConnectionError:
            pass
    assert b"farm_things" not in got and b"HTTP" not in got


def test_a_stranger_who_says_nothing_holds_up_nobody(
    serve: Callable[..., int],
    own: HostTls,
    tokens: Path,
    token: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    port = serve(mutual=False, tokens=tokens)
    with ExitStack() as silent:
        for _ in range(module._AT_ONCE // 2):
            silent.enter_context(socket.create_connection((HOST, port), timeout=30))
        assert "farm_things_total 7.0" in scraped(port, own.ca, token=token)
    assert "farm_things_total 7.0" in scraped(port, own.ca, token=token)
    assert capfd.readouterr().err == ""


def serving() -> list[str]:
    """Return the threads that serve a connection, of whichever server."""
    return [each.name for each in threading.enumerate() if "process_request" in each.name]


@pytest.mark.parametrize("says", ["half a handshake", "half a line", "half a line, unencrypted"])
def test_who_sends_a_byte_now_and_then_keeps_no_thread(
    own: HostTls,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    says: str,
) -> None:
    monkeypatch.setattr(module, "_LONGEST_S", 2.0)
    # As it is, that ends a handshake too.
    monkeypatch.setattr(module, "_PATIENCE_S", 3_600.0)
    plain = says == "half a line, unencrypted"
    access = ScrapeAccess(
        certificate=own.certificate, key=own.key, admits=ScrapeAdmission(tokens=None)
    )
    with ExitStack() as opened:
        server = MetricsServer(
            CollectorRegistry(), host=HOST, port=0, access=None if plain else access
        )
        opened.enter_context(closing(server))
        slow = opened.enter_context(socket.create_connection((HOST, server.port), timeout=30))
        if says == "half a line":
            context = ssl.create_default_context(cafile=str(own.ca))
            slow = opened.enter_context(context.wrap_socket(slow, server_hostname=HOST))
        wait_until(serving, timeout_s=30, what="a thread serves it")
        with suppress(OSError):
            slow.sendall(HALF_A_HANDSHAKE if says == "half a handshake" else b"GET /")
            while True:
                slow.send(b"x")
                time.sleep(0.05)
        wait_until(lambda: not serving(), timeout_s=30, what="no thread serves it")
    assert capfd.readouterr().err == ""


def test_a_renewed_certificate_counts_from_the_next_scrape(
    serve: Callable[..., int], own: HostTls, tmp_path: Path, tokens: Path, token: str
) -> None:
    port = serve(mutual=False, tokens=tokens)
    assert scraped(port, own.ca, token=token)
    renewed = write_certificate(tmp_path / "new", OTHER, "pi-head", HOST)
    for old, new in ((own.key, renewed.key), (own.certificate, renewed.certificate)):
        new.replace(old)
    assert scraped(port, renewed.ca, token=token)
    with pytest.raises(URLError):
        scraped(port, own.ca, token=token)
    own.key.write_text("no key")
    assert scraped(port, renewed.ca, token=token), "what was good stays"


def test_files_that_cannot_be_used_are_named(own: HostTls) -> None:
    own.key.write_text("no key")
    with pytest.raises(ConfigurationError, match="metrics: the certificate, key or CA"):
        MetricsServer(
            CollectorRegistry(),
            host=HOST,
            port=0,
            access=ScrapeAccess(
                certificate=own.certificate, key=own.key, admits=ScrapeAdmission(tokens=None)
            ),
        )
