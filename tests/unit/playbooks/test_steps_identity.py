"""Certificates and secrets on a host: issued once, again when due, never for another farm."""

from datetime import UTC, datetime, timedelta
from functools import cache

import pytest

from farm.core.identities import Identity, IdentityKind
from farm.pki import Authority, Issued, inspect
from farm.pki.authority import CERTIFICATE_DAYS, RENEW_DAYS
from playbooks import layout
from playbooks.commands import Command, Put
from playbooks.facts.files import ABSENT, FileState, Kind, file_state, file_text
from playbooks.steps.files import digest_of
from playbooks.steps.identity import certificate, trusted
from playbooks.transport import HostError
from tests.unit.playbooks.plans import planned

NOW = datetime(2026, 11, 1, tzinfo=UTC)
KEY = FileState(kind=Kind.FILE, mode=0o600, owner="farm:farm")


@cache
def authority(farm: str = "shelf") -> Authority:
    return Authority.create(farm, now=NOW)


@cache
def issued(address: str = "198.18.0.2") -> Issued:
    identity = Identity("shelf", IdentityKind.NODE, "pi-1")
    return authority().issue(identity, now=NOW, addresses=[address], names=["pi-1"])


def commands(
    text: bytes | None, key: FileState = KEY, *, after: timedelta = timedelta()
) -> list[Command]:
    step = certificate(
        "pi-1", authority(), now=NOW + after, addresses=["198.18.0.2"], names=["pi-1"]
    )
    known = None if text is None else text.decode()
    return planned(step, (file_text(layout.CERTIFICATE), known), (file_state(layout.KEY), key))


def test_a_sound_certificate_stays() -> None:
    assert commands(issued().certificate_pem) == []


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (None, ABSENT),
        (b"no certificate", KEY),
        (issued("198.18.0.3").certificate_pem, KEY),
        (issued().certificate_pem, ABSENT),
        (issued().certificate_pem, FileState(kind=Kind.FILE, mode=0o644, owner="farm:farm")),
    ],
    ids=["absent", "garbage", "another host's", "no key", "key for all to read"],
)
def test_any_other_is_issued_anew_and_its_key_comes_first(
    text: bytes | None, key: FileState
) -> None:
    first, second = commands(text, key)
    assert isinstance(first, Put)
    assert isinstance(second, Put)
    assert (first.to, first.mode, first.owner) == (layout.KEY, 0o600, "farm:farm")
    assert second.to == layout.CERTIFICATE
    assert isinstance(second.content, bytes)
    found = inspect(second.content)
    assert found.identity == Identity("shelf", IdentityKind.NODE, "pi-1")
    assert (found.addresses, found.names) == (("198.18.0.2",), ("pi-1",))


def test_one_that_is_about_to_end_is_renewed() -> None:
    due = timedelta(days=CERTIFICATE_DAYS - RENEW_DAYS)
    assert commands(issued().certificate_pem, after=due - timedelta(days=2)) == []
    assert len(commands(issued().certificate_pem, after=due + timedelta(days=2))) == 2


def test_a_host_of_another_farm_is_refused() -> None:
    first, *_ = trusted("pi-1", authority(), b"token")
    for pem in (authority().certificate_pem, None):
        there = FileState(kind=Kind.FILE, sha256=digest_of(pem)) if pem else ABSENT
        assert planned(first, (file_state(layout.CA), there)) == []
    other = digest_of(authority("other").certificate_pem)
    with pytest.raises(HostError, match="pi-1: it belongs to a farm whose CA is not") as caught:
        planned(first, (file_state(layout.CA), FileState(kind=Kind.FILE, sha256=other)))
    assert layout.CA in caught.value.fix


def test_secrets_do_not_show() -> None:
    assert "hush" not in repr(Put(content=b"hush", to="/token"))
    assert "hush" not in str(Put(content=b"hush", to="/token"))
