"""Packages for a host, chosen by a real apt from a source on the loopback."""

import functools
import hashlib
import shutil
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from farm.core.errors import (
    ConfigurationError,
    IntegrityError,
    UnreachableError,
    UnsupportedError,
)
from playbooks.apt_state import AptState
from playbooks.cache import CachedFile
from playbooks.debs import NEEDED, debs, install_debs_text

HAS = """\
Package: libc6
Status: install ok installed
Architecture: arm64
Maintainer: nobody
Version: 2.36
Description: there already
"""

needs_apt = pytest.mark.skipif(
    shutil.which("apt-get") is None, reason="needs apt-get, which only Debian and its kin have"
)


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A source of packages in which nftables needs libnft, which needs what the host has."""
    folder = tmp_path / "source"
    folder.mkdir()
    stanzas = []
    for name, depends in (("nftables", "libnft (>= 1.0)"), ("libnft", "libc6 (>= 2.30)")):
        content = f"the files of {name}".encode()
        (folder / f"{name}.deb").write_bytes(content)
        stanzas.append(
            f"Package: {name}\nArchitecture: arm64\nVersion: 1:1.0-2\nMaintainer: nobody\n"
            f"Depends: {depends}\nFilename: ./{name}.deb\nSize: {len(content)}\n"
            f"SHA256: {hashlib.sha256(content).hexdigest()}\nDescription: {name}\n"
        )
    packages = "\n".join(stanzas).encode()
    (folder / "Packages").write_bytes(packages)
    (folder / "Release").write_text(
        "Date: Sat, 01 Nov 2025 00:00:00 UTC\nSHA256:\n"
        f" {hashlib.sha256(packages).hexdigest()} {len(packages)} Packages\n"
    )
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    handler = functools.partial(QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/ ./"
        server.shutdown()
        thread.join()


def host(source: str, options: str = "[trusted=yes]") -> AptState:
    return AptState(
        architecture="arm64",
        files={
            "var/lib/dpkg/status": HAS.encode(),
            "etc/apt/sources.list": f"deb {options} {source}\n".encode(),
        },
    )


@needs_apt
def test_a_host_gets_what_it_lacks_and_no_more(tmp_path: Path, source: str) -> None:
    told: list[str] = []
    fetched = debs(tmp_path / "cache", ["nftables"], host(source), tell=told.append)
    assert sorted(file.path.read_text() for file in fetched) == [
        "the files of libnft",
        "the files of nftables",
    ]
    assert told == ["fetching nftables for hosts with arm64"]

    shutil.rmtree(tmp_path / "source")
    assert debs(tmp_path / "cache", ["nftables"], host(source), tell=told.append) == fetched
    assert len(told) == 1, "it took no network"

    fetched[0].path.write_text("rotten")
    with pytest.raises(UnreachableError):
        debs(tmp_path / "cache", ["nftables"], host(source))


@needs_apt
def test_a_source_that_the_host_would_not_trust_is_not_trusted_here(
    tmp_path: Path, source: str
) -> None:
    with pytest.raises(IntegrityError, match="not signed"):
        debs(tmp_path, ["nftables"], host(source, options=""))


@needs_apt
def test_a_package_that_no_source_has_is_named(tmp_path: Path, source: str) -> None:
    with pytest.raises(UnsupportedError, match="sudo apt-get install -y nosuch"):
        debs(tmp_path, ["nosuch"], host(source))


def test_a_machine_without_apt_says_what_to_run_on_the_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match="sudo apt-get install -y nftables"):
        debs(tmp_path / "cache", ["nftables"], host("http://127.0.0.1:9/ ./"))


def test_pushed_packages_are_installed_without_questions() -> None:
    files = [CachedFile(name="a_1%3a2_arm64.deb", sha256="", size=0, path=Path("a"))]
    text = install_debs_text(files)
    assert "DEBIAN_FRONTEND=noninteractive" in text
    assert "/opt/farm/debs/a_1%3a2_arm64.deb" in text
    assert "dpkg --configure -a" in text, "ends what a power cut interrupted"


def test_every_needed_package_says_what_for() -> None:
    assert all(NEEDED.values())
    assert "nftables" in NEEDED
