"""Lists of revoked certificates: what the CA signs, and what is taken for its list."""

import ssl
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.core.errors import IntegrityError
from farm.core.identities import Identity, IdentityKind
from farm.core.revocations import (
    NO_REVOCATIONS,
    Revocation,
    RevocationList,
    RevocationReason,
)
from farm.pki import (
    REVOCATIONS_FILE,
    Authority,
    inspect,
    kept_revocations,
    read_revocations,
    revoke,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
AUTHORITY = Authority.create("shelf", now=NOW)
BOB = AUTHORITY.issue(Identity("shelf", IdentityKind.CLIENT, "bob"), now=NOW)
SERIAL = inspect(BOB.certificate_pem).serial

revocations = st.builds(
    Revocation,
    serial=st.integers(1, 2**159 - 1),
    revoked_at=st.integers(0, 2**31).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    reason=st.sampled_from(RevocationReason),
)


@settings(deadline=None)
@given(st.integers(0, 2**63), st.lists(revocations, max_size=5))
def test_a_list_is_read_as_it_was_signed(number: int, each: list[Revocation]) -> None:
    listed = RevocationList(number=number, revocations={one.serial: one for one in each})
    pem = AUTHORITY.sign_revocations(listed, now=NOW)
    assert read_revocations(pem, AUTHORITY.certificate_pem) == listed


def test_other_software_reads_it_too(tmp_path: Path) -> None:
    listed = RevocationList(
        number=7,
        revocations={
            SERIAL: Revocation(
                serial=SERIAL, revoked_at=NOW, reason=RevocationReason.KEY_COMPROMISE
            )
        },
    )
    found = x509.load_pem_x509_crl(AUTHORITY.sign_revocations(listed, now=NOW))
    entry = found.get_revoked_certificate_by_serial_number(SERIAL)
    assert entry is not None
    reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    assert reason is x509.ReasonFlags.key_compromise
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    file = tmp_path / "trusted.pem"
    file.write_bytes(AUTHORITY.certificate_pem + found.public_bytes(Encoding.PEM))
    context.load_verify_locations(file)
    assert context.cert_store_stats()["crl"] == 1


def test_what_is_revoked_is_kept_beside_the_ca_and_grows(tmp_path: Path) -> None:
    AUTHORITY.save(tmp_path)
    assert kept_revocations(tmp_path) == NO_REVOCATIONS
    first = revoke(AUTHORITY, tmp_path, [SERIAL], reason=RevocationReason.SUPERSEDED, now=NOW)
    assert kept_revocations(tmp_path) == first
    later = NOW + timedelta(days=1)
    second = revoke(
        AUTHORITY, tmp_path, [SERIAL, 5], reason=RevocationReason.UNSPECIFIED, now=later
    )
    assert second.why_not_after(first) == ""
    assert second.revocations[SERIAL] == first.revocations[SERIAL]
    assert second.revocations[5].revoked_at == later


def test_a_clock_that_went_back_makes_no_older_list(tmp_path: Path) -> None:
    AUTHORITY.save(tmp_path)
    numbers = [
        revoke(AUTHORITY, tmp_path, [], reason=RevocationReason.UNSPECIFIED, now=moment).number
        for moment in (NOW, NOW - timedelta(days=9), NOW)
    ]
    assert numbers == sorted(set(numbers))


def test_nobody_elses_list_is_taken(tmp_path: Path) -> None:
    other = Authority.create("shelf", now=NOW)
    pem = other.sign_revocations(NO_REVOCATIONS, now=NOW)
    with pytest.raises(IntegrityError, match="not signed by this farm's CA"):
        read_revocations(pem, AUTHORITY.certificate_pem)
    AUTHORITY.save(tmp_path)
    (tmp_path / REVOCATIONS_FILE).write_bytes(pem)
    with pytest.raises(IntegrityError, match=REVOCATIONS_FILE):
        kept_revocations(tmp_path)


LISTED = AUTHORITY.sign_revocations(
    RevocationList(
        number=7,
        revocations={1: Revocation(serial=1, revoked_at=NOW, reason=RevocationReason.SUPERSEDED)},
    ),
    now=NOW,
)


@settings(deadline=None)
@given(st.data())
def test_a_list_with_a_changed_byte_is_refused_in_words(data: st.DataObject) -> None:
    der = bytearray(x509.load_pem_x509_crl(LISTED).public_bytes(Encoding.DER))
    at = data.draw(st.integers(0, len(der) - 1))
    der[at] ^= data.draw(st.integers(1, 255))
    pem = ssl.DER_cert_to_PEM_cert(bytes(der)).replace("CERTIFICATE", "X509 CRL").encode()
    with pytest.raises(IntegrityError):
        read_revocations(pem, AUTHORITY.certificate_pem)


@pytest.mark.parametrize(
    "pem",
    [b"", b"garbage", LISTED[:200], BOB.certificate_pem],
    ids=["empty", "garbage", "cut", "certificate"],
)
def test_what_is_no_list_is_refused_in_words(pem: bytes) -> None:
    with pytest.raises(IntegrityError, match="damaged, or none"):
        read_revocations(pem, AUTHORITY.certificate_pem)


def test_commands_that_revoke_at_once_lose_nothing(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(AUTHORITY.certificate_pem)

    def put(serial: int) -> None:
        revoke(AUTHORITY, tmp_path, [serial], reason=RevocationReason.UNSPECIFIED, now=NOW)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(put, range(1, 21)))
    assert set(kept_revocations(tmp_path).revocations) == set(range(1, 21))
