"""A host's apt as the operator's machine sees it."""

import base64
import gzip
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playbooks.apt_state import (
    AptState,
    apt_state,
    one_line_sources,
    parse_apt_state,
    stanza_sources,
)
from playbooks.commands import Result

FILES = {
    "var/lib/dpkg/status": b"Package: libc6\n",
    "etc/apt/sources.list": b"deb http://archive.example/debian bookworm main\n",
    "usr/share/keyrings/debian-archive-keyring.gpg": b"\x99\x02",
}


def answer(files: Mapping[str, bytes], architecture: str = "arm64") -> Result:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return Result(stdout=f"{architecture}\n{base64.encodebytes(packed.getvalue()).decode()}")


def test_what_a_host_answers_is_read() -> None:
    assert parse_apt_state(answer(FILES)) == AptState(architecture="arm64", files=FILES)


def test_a_host_can_only_hand_over_what_was_asked_for() -> None:
    hostile = {
        "etc/apt/apt.conf.d/99run": b'APT::Update::Pre-Invoke { "evil"; };',
        "../../etc/apt/sources.list": b"",
        "etc/apt/sources.list.d/../../../root/.profile": b"",
        "etc/apt/sources.list.d/..": b"",
        "/etc/apt/preferences": b"",
        "etc/apt/auth.conf": b"password",
    }
    state = parse_apt_state(answer(FILES | hostile))
    assert state is not None
    assert state.files == FILES


def test_links_on_a_host_are_not_followed_here() -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        link = tarfile.TarInfo("var/lib/dpkg/status")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/shadow"
        archive.addfile(link)
    told = Result(stdout=f"arm64\n{base64.b64encode(packed.getvalue()).decode()}")
    assert parse_apt_state(told) is None


@pytest.mark.parametrize(
    "told",
    [
        Result(stderr="dpkg: not found", exit_code=127),
        Result(stdout="arm64\n"),
        Result(stdout="arm64\n" + base64.b64encode(gzip.compress(b"no tar")).decode()),
        Result(stdout=answer(FILES).stdout[:-200]),
        answer({"etc/apt/sources.list": b""}),
        answer(FILES, architecture="arm64; evil"),
    ],
)
def test_a_host_without_apt_is_known_as_such(told: Result) -> None:
    assert parse_apt_state(told) is None


def test_more_than_any_host_has_is_not_unpacked() -> None:
    bomb = base64.b64encode(gzip.compress(bytes(65 * 2**20), 1)).decode()
    assert parse_apt_state(Result(stdout=f"arm64\n{bomb}")) is None


@given(st.text() | st.binary().map(lambda data: f"arm64\n{base64.b64encode(data).decode()}"))
def test_garbage_is_no_apt(text: str) -> None:
    assert parse_apt_state(Result(stdout=text)) is None


def test_hosts_with_the_same_packages_and_sources_are_alike() -> None:
    state = AptState(architecture="arm64", files=FILES)
    assert state.digest == AptState(architecture="arm64", files=dict(FILES)).digest
    others = [
        AptState(architecture="amd64", files=FILES),
        AptState(architecture="arm64", files={**FILES, "var/lib/dpkg/status": b""}),
        AptState(architecture="arm64", files={**FILES, "etc/apt/preferences": b""}),
    ]
    assert len({state.digest, *(other.digest for other in others)}) == 4


def test_the_question_changes_nothing_and_needs_no_root() -> None:
    question = apt_state()
    assert not question.sudo
    assert "tar -c" in question.command


def test_only_sources_on_the_network_are_taken_over() -> None:
    text = """\
# deb http://commented.example/ bookworm main
deb http://archive.example/debian bookworm main
deb [arch=arm64 signed-by=/usr/share/keyrings/pi.gpg] https://pi.example/debian bookworm main
deb-src http://archive.example/debian bookworm main
deb file:/media/usb ./
deb cdrom:[Debian] bookworm main
deb ssh://operator@evil.example/ ./
"""
    assert (
        one_line_sources(text, Path("/root-of-apt"))
        == """\
deb http://archive.example/debian bookworm main
deb [arch=arm64 signed-by=/root-of-apt/usr/share/keyrings/pi.gpg] https://pi.example/debian \
bookworm main
"""
    )


def test_stanzas_are_taken_over_with_their_keyrings() -> None:
    text = """\
Types: deb
URIs: http://archive.example/debian
  https://mirror.example/debian
Suites: bookworm
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: file:/media/usb
Suites: ./

Types: deb
uris: http://pi.example/debian ssh://evil.example/
Suites: bookworm

Enabled: no
"""
    assert (
        stanza_sources(text, Path("/root-of-apt"))
        == """\
Types: deb
URIs: http://archive.example/debian
  https://mirror.example/debian
Suites: bookworm
Components: main
Signed-By: /root-of-apt/usr/share/keyrings/debian-archive-keyring.gpg
"""
    )


def test_files_are_laid_out_below_a_root(tmp_path: Path) -> None:
    AptState(architecture="arm64", files=FILES).lay_out(tmp_path)
    laid_out = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert laid_out == set(FILES)
