"""The farm's CA: what it issues, what TLS makes of it, and when it issues anew."""

import ipaddress
import ssl
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from farm.core.errors import ConfigurationError
from farm.core.identities import Identity, IdentityKind
from farm.pki import CA_FILE, CA_KEY_FILE, Authority, Issued, inspect

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
AUTHORITY = Authority.create("shelf", now=NOW)
PI = Identity("shelf", IdentityKind.NODE, "pi-1")
ANN = Identity("shelf", IdentityKind.OPERATOR, "ann")
ADDRESSES, NAMES = ("198.18.0.11", "::1"), ("pi-1", "pi-1.local")


def machine() -> Issued:
    return AUTHORITY.issue(PI, now=NOW, addresses=ADDRESSES, names=NAMES)


def context(side: int, issued: Issued, authority: Authority, folder: Path) -> ssl.SSLContext:
    """One end of mutual TLS, as strict as Python can be told to be."""
    made = ssl.SSLContext(side)
    made.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
    made.verify_mode = ssl.CERT_REQUIRED
    made.load_verify_locations(cadata=authority.certificate_pem.decode())
    for name, pem in (("certificate", issued.certificate_pem), ("key", issued.key_pem)):
        (folder / name).write_bytes(pem)
    made.load_cert_chain(folder / "certificate", folder / "key")
    return made


def shake_hands(
    server: ssl.SSLContext, client: ssl.SSLContext, name: str
) -> Mapping[str, Any] | None:
    """Return what the server sees of the client's certificate."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    served = server.wrap_bio(to_server, to_client, server_side=True)
    called = client.wrap_bio(to_client, to_server, server_hostname=name)
    for _ in range(3):
        for side in (called, served):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return served.getpeercert()


# -- what is issued -------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*ADDRESSES, *NAMES])
def test_a_machine_and_an_operator_know_each_other(name: str, tmp_path: Path) -> None:
    operator = AUTHORITY.issue(ANN, now=NOW)
    seen = shake_hands(
        context(ssl.PROTOCOL_TLS_SERVER, machine(), AUTHORITY, tmp_path),
        context(ssl.PROTOCOL_TLS_CLIENT, operator, AUTHORITY, tmp_path),
        name,
    )
    assert seen is not None
    assert seen["subjectAltName"] == (("URI", "farm://shelf/operator/ann"),)


def test_machines_call_each_other(tmp_path: Path) -> None:
    other = AUTHORITY.issue(Identity("shelf", IdentityKind.NODE, "pi-2"), now=NOW)
    assert shake_hands(
        context(ssl.PROTOCOL_TLS_SERVER, machine(), AUTHORITY, tmp_path),
        context(ssl.PROTOCOL_TLS_CLIENT, other, AUTHORITY, tmp_path),
        "pi-1",
    )


@pytest.mark.parametrize("kind", [IdentityKind.OPERATOR, IdentityKind.CLIENT])
def test_nobody_else_can_pass_for_a_machine(kind: IdentityKind, tmp_path: Path) -> None:
    issued = AUTHORITY.issue(Identity("shelf", kind, "eve"), now=NOW, names=["pi-1"])
    with pytest.raises(ssl.SSLCertVerificationError, match="purpose"):
        shake_hands(
            context(ssl.PROTOCOL_TLS_SERVER, issued, AUTHORITY, tmp_path),
            context(ssl.PROTOCOL_TLS_CLIENT, AUTHORITY.issue(ANN, now=NOW), AUTHORITY, tmp_path),
            "pi-1",
        )


def test_an_admin_is_an_operator_to_gateways_that_know_no_admins(tmp_path: Path) -> None:
    admin = Identity("shelf", IdentityKind.ADMIN, "ann")
    issued = AUTHORITY.issue(admin, now=NOW)
    seen = shake_hands(
        context(ssl.PROTOCOL_TLS_SERVER, machine(), AUTHORITY, tmp_path),
        context(ssl.PROTOCOL_TLS_CLIENT, issued, AUTHORITY, tmp_path),
        "pi-1",
    )
    assert seen is not None
    assert seen["subjectAltName"] == (("URI", admin.uri), ("URI", ANN.uri))
    assert inspect(issued.certificate_pem).identity == admin
    assert AUTHORITY.due(issued.certificate_pem, admin, now=NOW) == ""
    was = AUTHORITY.issue(ANN, now=NOW)
    assert AUTHORITY.due(was.certificate_pem, admin, now=NOW) == f"it is for {ANN.uri}"


def test_another_farm_of_the_same_name_is_not_trusted(tmp_path: Path) -> None:
    other = Authority.create("shelf", now=NOW)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(
            context(ssl.PROTOCOL_TLS_SERVER, machine(), AUTHORITY, tmp_path),
            context(ssl.PROTOCOL_TLS_CLIENT, other.issue(ANN, now=NOW), other, tmp_path),
            "pi-1",
        )


def test_a_certificate_says_whose_it_is_and_how_long() -> None:
    facts = inspect(machine().certificate_pem)
    assert facts.identity == PI
    assert facts.names == NAMES
    assert set(facts.addresses) == set(ADDRESSES)
    assert facts.not_after == NOW + 365 * DAY
    assert len(facts.fingerprint) == 64


def test_clocks_may_differ_by_a_time_zone() -> None:
    facts = inspect(machine().certificate_pem)
    assert facts.not_before == NOW - DAY
    assert inspect(AUTHORITY.certificate_pem).not_before <= facts.not_before


def test_nothing_outlives_the_authority() -> None:
    late = NOW + 3600 * DAY
    end = inspect(AUTHORITY.certificate_pem).not_after
    assert inspect(AUTHORITY.issue(PI, now=late).certificate_pem).not_after == end
    with pytest.raises(ConfigurationError, match="ended"):
        AUTHORITY.issue(PI, now=end)


@pytest.mark.parametrize("address", ["pi-1", "198.18.0.300", "198.18.0.0/24", ""])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigurationError, match="IP address"):
        AUTHORITY.issue(PI, now=NOW, addresses=[address])


@pytest.mark.parametrize("name", ["", "a b", "a..b", "farm://shelf/operator/ann", "ä", "*.b"])
def test_what_is_no_host_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="host name"):
        AUTHORITY.issue(PI, now=NOW, names=[name])


def test_another_farms_machines_get_nothing() -> None:
    with pytest.raises(ConfigurationError, match="'cellar'"):
        AUTHORITY.issue(Identity("cellar", IdentityKind.NODE, "pi-1"), now=NOW)


CERTIFICATE = x509.load_pem_x509_certificate(machine().certificate_pem)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@given(st.data())
def test_a_damaged_certificate_is_refused_in_words_or_read(data: st.DataObject) -> None:
    der = bytearray(CERTIFICATE.public_bytes(Encoding.DER))
    for _ in range(data.draw(st.integers(1, 4))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    pem = ssl.DER_cert_to_PEM_cert(bytes(der)).encode()
    assert isinstance(AUTHORITY.due(pem, PI, now=NOW, addresses=ADDRESSES, names=NAMES), str)
    with suppress(ConfigurationError):
        inspect(pem)


# -- when it is issued anew -----------------------------------------------------------------


def due(issued: Issued, *, now: datetime = NOW, identity: Identity = PI, **names: Any) -> str:
    wanted = {"addresses": ADDRESSES, "names": NAMES} | names
    return AUTHORITY.due(issued.certificate_pem, identity, now=now, **wanted)


def test_a_sound_certificate_stays() -> None:
    assert due(machine()) == ""
    assert due(machine(), now=NOW + 334 * DAY) == ""


@given(
    st.lists(st.ip_addresses().map(str)),
    st.lists(st.from_regex(r"[A-Za-z0-9]{1,8}(\.[a-z]{1,8})?", fullmatch=True)),
)
def test_whatever_was_just_issued_is_not_due(addresses: list[str], names: list[str]) -> None:
    issued = AUTHORITY.issue(PI, now=NOW, addresses=addresses, names=names)
    spelled = [ipaddress.ip_address(address).exploded for address in reversed(addresses)]
    assert due(issued, addresses=spelled, names=[name.upper() for name in names]) == ""


@pytest.mark.parametrize(
    ("why", "changes"),
    [
        ("it ends on", {"now": NOW + 336 * DAY}),
        ("it ends on", {"now": NOW + 400 * DAY}),
        ("in the future", {"now": NOW - 40 * DAY}),
        ("its addresses are", {"addresses": ["198.18.0.12"]}),
        ("its addresses are", {"addresses": []}),
        ("its names are", {"names": ["pi-1"]}),
        ("it is for farm://shelf/node/pi-1", {"identity": ANN}),
    ],
)
def test_one_that_does_not_fit_is_due(why: str, changes: dict[str, Any]) -> None:
    assert why in due(machine(), **changes)


def test_one_of_another_authority_is_due() -> None:
    other = Authority.create("shelf", now=NOW)
    assert "another CA" in due(other.issue(PI, now=NOW, addresses=ADDRESSES, names=NAMES))


@pytest.mark.parametrize("pem", [b"", b"garbage", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_what_is_no_certificate_is_due(pem: bytes) -> None:
    assert AUTHORITY.due(pem, PI, now=NOW) == "it is no certificate"
    with pytest.raises(ConfigurationError, match="not a PEM certificate"):
        inspect(pem)


def test_what_ends_with_the_authority_is_not_renewed_for_ever() -> None:
    end = inspect(AUTHORITY.certificate_pem).not_after
    now = end - 10 * DAY
    issued = AUTHORITY.issue(PI, now=now)
    assert due(issued, now=now, addresses=[], names=[]) == ""
    assert "it ends on" in due(issued, now=end, addresses=[], names=[])


# -- where it is kept -----------------------------------------------------------------------


def test_an_authority_is_kept(tmp_path: Path) -> None:
    AUTHORITY.save(tmp_path / "ca")
    AUTHORITY.save(tmp_path / "ca")
    loaded = Authority.load(tmp_path / "ca")
    assert loaded.farm == "shelf"
    assert loaded.certificate_pem == AUTHORITY.certificate_pem
    assert AUTHORITY.due(loaded.issue(ANN, now=NOW).certificate_pem, ANN, now=NOW) == ""
    assert (tmp_path / "ca" / CA_KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert {path.name for path in (tmp_path / "ca").iterdir()} == {CA_FILE, CA_KEY_FILE}


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    AUTHORITY.save(tmp_path)
    (tmp_path / CA_KEY_FILE).chmod(0o640)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        Authority.load(tmp_path)


def test_one_authority_does_not_replace_another(tmp_path: Path) -> None:
    AUTHORITY.save(tmp_path)
    with pytest.raises(ConfigurationError, match="another CA"):
        Authority.create("shelf", now=NOW).save(tmp_path)
    assert Authority.load(tmp_path).certificate_pem == AUTHORITY.certificate_pem


def test_a_save_that_was_interrupted_is_done_again(tmp_path: Path) -> None:
    AUTHORITY.save(tmp_path)
    (tmp_path / CA_FILE).unlink()
    with pytest.raises(ConfigurationError, match="bootstrapped"):
        Authority.load(tmp_path)
    Authority.create("shelf", now=NOW).save(tmp_path)
    assert Authority.load(tmp_path).farm == "shelf"


@pytest.mark.parametrize("damage", [b"", b"garbage"])
@pytest.mark.parametrize("file", [CA_FILE, CA_KEY_FILE])
def test_damage_is_named(file: str, damage: bytes, tmp_path: Path) -> None:
    AUTHORITY.save(tmp_path)
    (tmp_path / file).write_bytes(damage)
    with pytest.raises(ConfigurationError, match=file):
        Authority.load(tmp_path)


def test_a_key_of_another_authority_is_noticed(tmp_path: Path) -> None:
    AUTHORITY.save(tmp_path / "one")
    Authority.create("shelf", now=NOW).save(tmp_path / "two")
    (tmp_path / "one" / CA_KEY_FILE).write_bytes((tmp_path / "two" / CA_KEY_FILE).read_bytes())
    with pytest.raises(ConfigurationError, match="not the key"):
        Authority.load(tmp_path / "one")
