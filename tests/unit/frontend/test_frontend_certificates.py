"""What a gateway knows of revoked certificates, through files that come, change and are spoilt."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest
from structlog.testing import capture_logs

from farm.core.errors import ConfigurationError, InvalidRequestError, UnauthenticatedError
from farm.core.identities import Identity, IdentityKind
from farm.core.revocations import Revocation, RevocationList, RevocationReason
from farm.frontend import certificates as module
from farm.frontend.callers import ShownCertificate
from farm.frontend.certificates import Certificates
from farm.pki import Authority

WAIT_S = 10.0
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
AUTHORITY = Authority.create("shelf", now=NOW)
OTHER = Authority.create("shelf", now=NOW)
BOB = AUTHORITY.issue(Identity("shelf", IdentityKind.CLIENT, "bob"), now=NOW, days=7)


class Watch:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def unix_ns(self) -> int:
        return int((NOW.timestamp() + self.seconds) * 1e9)


class Place:
    """A gateway's files, and what it knows after it has started with them."""

    def __init__(self, folder: Path) -> None:
        self.clock = Watch()
        self.ca = folder / "ca.pem"
        self.ca.write_bytes(AUTHORITY.certificate_pem)
        self.published = folder / "crl.pem"
        self.kept_in = folder / "state"

    def start(self) -> Certificates:
        return Certificates(
            ca=self.ca, published=self.published, kept_in=self.kept_in, clock=self.clock
        )

    def later(self, seconds: float = 1.0) -> None:
        self.clock.seconds += seconds

    @property
    def kept(self) -> Path:
        (found,) = self.kept_in.iterdir()
        return found


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def signed(number: int, *serials: int, authority: Authority = AUTHORITY) -> bytes:
    listed = RevocationList(
        number=number,
        revocations={
            serial: Revocation(
                serial=serial, revoked_at=NOW, reason=RevocationReason.KEY_COMPROMISE
            )
            for serial in serials
        },
    )
    return authority.sign_revocations(listed, now=NOW)


def bob(certificates: Certificates) -> ShownCertificate:
    return certificates.shown(BOB.certificate_pem, "client bob at 10.0.0.7")


def brought(certificates: Certificates, list_pem: bytes) -> None:
    """Bring a list, as a call over the network does."""
    certificates.take(list_pem)
    certificates.keep()


def test_who_is_revoked_is_told_when_and_why(place: Place) -> None:
    certificates = place.start()
    shown = bob(certificates)
    certificates.check(shown)
    certificates.take(signed(1, shown.serial))
    with pytest.raises(UnauthenticatedError) as caught:
        certificates.check(shown)
    assert "client bob at 10.0.0.7 was revoked on 2026-11-22 (key-compromise)" in (
        caught.value.message
    )


def test_a_certificate_ends_while_its_connection_is_open(place: Place) -> None:
    certificates = place.start()
    shown = bob(certificates)
    place.later(7 * 86_400 - 1)
    certificates.check(shown)
    place.later(1)
    with pytest.raises(UnauthenticatedError, match="ended at 2026-11-29 12:00 UTC"):
        certificates.check(shown)


def test_a_list_that_is_put_there_counts_without_a_restart(place: Place) -> None:
    certificates = place.start()
    shown = bob(certificates)
    place.published.write_bytes(signed(1, shown.serial))
    place.later()
    with pytest.raises(UnauthenticatedError):
        certificates.check(shown)


def test_a_restart_keeps_what_came_over_the_network(place: Place) -> None:
    certificates = place.start()
    shown = bob(certificates)
    brought(certificates, signed(5, shown.serial))
    assert place.kept.stat().st_mode & 0o777 == 0o644
    # An older one was put there by a bootstrap that did not know.
    place.published.write_bytes(signed(3))
    assert place.start().in_force.number == 5
    place.later()
    with pytest.raises(UnauthenticatedError):
        certificates.check(shown)


def test_gateways_that_hand_over_share_what_they_take(place: Place) -> None:
    old, new = place.start(), place.start()
    brought(old, signed(5, 1))
    place.later()
    new.check(bob(new))
    assert new.in_force.number == 5


@pytest.mark.parametrize(
    ("offered", "says"),
    [
        (b"", "damaged, or none"),
        (signed(9, 1, 2)[:-60], "damaged, or none"),
        (signed(9, 1, 2, authority=OTHER), "not signed by this farm's CA"),
        (signed(4, 1, 2), "is not above 5"),
        (signed(5, 1, 2), "is not above 5"),
        (signed(9, 2), "1 of the certificates that are revoked here are not on it"),
    ],
    ids=["nothing", "damaged", "another CA's", "older", "of the same number", "forgetful"],
)
def test_what_is_no_newer_list_is_refused_in_words(offered: bytes, says: str, place: Place) -> None:
    certificates = place.start()
    brought(certificates, signed(5, 1))
    kept = place.kept.read_bytes()
    with pytest.raises(InvalidRequestError, match=f"{says}.*the one in force stays") as caught:
        certificates.take(offered)
    assert str(place.ca.parent) not in caught.value.message
    assert certificates.in_force.number == 5
    assert place.kept.read_bytes() == kept
    # The same as a file is left aside, and the one in force stays, also at the next start.
    place.published.write_bytes(offered)
    place.later()
    certificates.check(bob(certificates))
    assert certificates.in_force.number == 5
    assert place.start().in_force.number == 5


def test_where_the_ca_lies_is_not_for_callers(place: Place) -> None:
    certificates = place.start()
    place.ca.unlink()
    with pytest.raises(InvalidRequestError, match="the CA cannot be read") as caught:
        certificates.take(signed(5, 1))
    assert str(place.ca.parent) not in caught.value.message


def test_the_list_in_force_is_taken_again(place: Place) -> None:
    certificates = place.start()
    assert certificates.take(signed(5, 1)) == certificates.take(signed(5, 1))


def test_what_was_published_outlives_its_file(place: Place) -> None:
    place.published.write_bytes(signed(1, 7))
    place.start()
    place.published.unlink()
    assert place.start().in_force.number == 1
    place.published.write_bytes(b"garbage")
    assert place.start().in_force.number == 1


def test_without_a_good_list_where_there_was_one_nobody_is_let_in(place: Place) -> None:
    place.published.write_bytes(b"garbage")
    with pytest.raises(ConfigurationError, match="would be let in"):
        place.start()


def test_a_list_of_the_ca_before_is_none_of_this_one(place: Place) -> None:
    brought(place.start(), signed(5, 1))
    place.ca.write_bytes(OTHER.certificate_pem)
    assert place.start().in_force.number == 0


def test_a_full_disk_does_not_keep_a_list_out_of_force(place: Place) -> None:
    certificates = place.start()
    place.kept_in.write_bytes(b"no folder")
    with pytest.raises(ConfigurationError, match="in force, and forgotten"):
        brought(certificates, signed(5, 1))
    assert certificates.in_force.number == 5


@pytest.mark.parametrize("published", [True, False])
def test_calls_go_on_while_a_list_is_synced(
    place: Place, monkeypatch: pytest.MonkeyPatch, published: bool
) -> None:
    syncing, synced, kept = Event(), Event(), Event()

    def slowly(_path: Path, _content: bytes) -> None:
        syncing.set()
        assert synced.wait(WAIT_S)
        kept.set()

    monkeypatch.setattr(module, "replace_file", slowly)
    certificates = place.start()
    shown = bob(certificates)
    listed = signed(5, shown.serial)
    with ThreadPoolExecutor(1) as other:
        if published:
            place.published.write_bytes(listed)
        else:
            other.submit(brought, certificates, listed)
            assert syncing.wait(WAIT_S)
        place.later()
        for _ in range(2):
            with pytest.raises(UnauthenticatedError):
                certificates.check(shown)
        assert syncing.wait(WAIT_S)
        assert not kept.is_set()
        synced.set()
        assert kept.wait(WAIT_S)


@pytest.mark.parametrize("when", ["at the start", "later"])
def test_a_list_that_could_not_be_read_is_read_when_it_can_be(
    place: Place, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    first = place.start()
    brought(first, signed(4, 1))
    read_if_there = module.read_if_there

    def no_descriptor_left(path: Path) -> bytes | None:
        if path == place.published:
            raise ConfigurationError(f"{path} cannot be read: Too many open files")
        return read_if_there(path)

    place.published.write_bytes(signed(5, 1, 2))
    with monkeypatch.context() as short, capture_logs() as logged:
        short.setattr(module, "read_if_there", no_descriptor_left)
        certificates = place.start() if when == "at the start" else first
        for _ in range(3):
            place.later(10.0)
            certificates.check(bob(certificates))
    assert certificates.in_force.number == 4
    assert [line["event"] for line in logged].count("revocations_not_taken") == 1
    place.later(10.0)
    certificates.check(bob(certificates))
    assert certificates.in_force.number == 5
