"""`farm certs`, as an operator uses it."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from commands import fails, farm, ok
from fake_gateway import FakeGateway, running_gateway

from farm.contexts import Context, FarmHome
from farm.core.errors import PermissionDeniedError, UnreachableError, UnsupportedError
from farm.core.identities import IdentityKind
from farm.core.revocations import RevocationReason
from farm.pki import REVOCATIONS_FILE, Authority, inspect, kept_revocations


@pytest.fixture(autouse=True)
def home() -> FarmHome:
    """A home as bootstrap leaves it: a CA and a context, which is current."""
    made = FarmHome.of(os.environ)
    authority = Authority.create("shelf", now=datetime.now(UTC))
    authority.save(made.folder("shelf").authority)
    made.write(Context(farm="shelf", address="198.18.0.10:8001"))
    made.use("shelf")
    return made


def test_a_certificate_is_issued_to_hand_over(tmp_path: Path) -> None:
    folder = tmp_path / "bob"
    result = farm("certs", "issue", "bob", "--folder", str(folder))
    assert result.exit_code == 0
    assert "lets bob in as client of shelf" in result.stderr
    assert "FARM_CONNECT=198.18.0.10:8001" in result.stdout
    assert "InferenceServerClient" in result.stdout
    assert {path.name for path in folder.iterdir()} == {"ca.pem", "certificate.pem", "key.pem"}
    assert (folder / "key.pem").stat().st_mode & 0o777 == 0o600
    facts = inspect((folder / "certificate.pem").read_bytes())
    assert facts.identity is not None
    assert (facts.identity.kind, facts.identity.name) == (IdentityKind.CLIENT, "bob")


@pytest.mark.parametrize(
    ("role", "kind"), [("infer", "client"), ("operate", "operator"), ("admin", "admin")]
)
def test_a_certificate_is_for_the_role_that_is_asked_for(
    role: str, kind: str, tmp_path: Path
) -> None:
    folder = tmp_path / "ann"
    farm("certs", "issue", "ann", "--role", role, "--days", "7", "--folder", str(folder))
    shown = json.loads(ok("certs", "show", str(folder / "certificate.pem"), "-o", "json"))
    assert shown["certificate"]["identity"] == f"farm://shelf/{kind}/ann"
    ends = datetime.fromisoformat(shown["certificate"]["not_after"])
    assert 6 <= (ends - datetime.now(UTC)).days <= 7


def test_all_that_was_issued_is_listed(tmp_path: Path) -> None:
    for number in range(2):
        farm("certs", "issue", "bob", "--folder", str(tmp_path / str(number)))
    listed = json.loads(ok("certs", "ls", "-o", "json"))["certificates"]
    assert [one["identity"] for one in listed] == [None, *["farm://shelf/client/bob"] * 2]
    assert "in 3649 days" in ok("certs", "ls")


@pytest.fixture
def gateway(home: FarmHome) -> Iterator[FakeGateway]:
    """The gateway of the farm, which takes what it is told."""
    with running_gateway() as made:
        home.write(Context(farm="shelf", address=made.address))
        yield made


def issued(name: str, folder: Path, *options: str) -> str:
    """Issue a certificate; return its fingerprint."""
    result = farm("certs", "issue", name, "--folder", str(folder), "-o", "json", *options)
    fingerprint: str = json.loads(result.stdout)["issued"]["fingerprint"]
    return fingerprint


def standing(home: FarmHome) -> dict[str, bool]:
    """Whether each certificate is revoked, by its fingerprint, as this machine lists it."""
    listed = json.loads(ok("certs", "ls", "-o", "json"))["certificates"]
    return {one["fingerprint"]: one["revoked"] is not None for one in listed}


def test_all_certificates_of_a_name_are_revoked_and_the_gateway_is_told(
    home: FarmHome, gateway: FakeGateway, tmp_path: Path
) -> None:
    bobs = [issued("bob", tmp_path / "1"), issued("bob", tmp_path / "2", "--role", "admin")]
    ann = issued("ann", tmp_path / "3")
    shown = ok("certs", "revoke", "bob", "--reason", "key-compromise")
    assert "farm://shelf/client/bob" in shown and "farm://shelf/admin/bob" in shown
    found = standing(home)
    assert [found[each] for each in (*bobs, ann)] == [True, True, False]
    assert f"revoked {datetime.now(UTC):%Y-%m-%d}" in ok("certs", "ls")
    folder = home.folder("shelf").authority
    (told,) = gateway.revocations
    assert told == (folder / REVOCATIONS_FILE).read_bytes()
    listed = kept_revocations(folder).revocations
    assert {each.reason for each in listed.values()} == {RevocationReason.KEY_COMPROMISE}
    assert len(listed) == 2


def test_one_certificate_is_revoked_by_its_fingerprint(
    home: FarmHome, gateway: FakeGateway, tmp_path: Path
) -> None:
    first, second = (issued("bob", tmp_path / str(number)) for number in range(2))
    ok("certs", "revoke", first[:16])
    assert (standing(home)[first], standing(home)[second]) == (True, False)
    # Written as other tools write it; what is revoked already stays.
    ok("certs", "revoke", ":".join(second[at : at + 2].upper() for at in range(0, 64, 2)))
    assert (standing(home)[first], standing(home)[second]) == (True, True)
    assert len(gateway.revocations) == 2


def test_a_gateway_that_is_not_told_is_named_and_told_the_next_time(
    home: FarmHome, gateway: FakeGateway, tmp_path: Path
) -> None:
    bob = issued("bob", tmp_path / "bob")
    for error, says in (
        (UnreachableError("nobody answers"), "run this again, or `farm bootstrap`"),
        (UnsupportedError("Method not found!"), "`farm upgrade` brings it this one"),
        (PermissionDeniedError("needs the role 'admin'"), "needs the role 'admin'"),
    ):
        gateway.revoke_error = error
        result = farm("certs", "revoke", "bob", "-o", "json")
        assert result.exit_code == 3
        assert json.loads(result.stdout)["revoked"]["gateway_told"] is False
        assert "the gateway lets them in still" in result.stderr and says in result.stderr
        assert standing(home)[bob]
    gateway.revoke_error = None
    ok("certs", "revoke", "bob")
    assert len(gateway.revocations) == 1


@pytest.mark.parametrize("who", ["eve", "0123456789abcdef", "", "shelf"])
def test_who_has_no_certificate_is_not_revoked(who: str, home: FarmHome, tmp_path: Path) -> None:
    issued("bob", tmp_path / "bob")
    assert "no certificate was issued here" in fails(2, "certs", "revoke", who)
    assert not (home.folder("shelf").authority / REVOCATIONS_FILE).exists()


def test_a_damaged_list_is_not_written_over(
    home: FarmHome, gateway: FakeGateway, tmp_path: Path
) -> None:
    issued("bob", tmp_path / "bob")
    path = home.folder("shelf").authority / REVOCATIONS_FILE
    path.write_bytes(b"garbage")
    assert REVOCATIONS_FILE in fails(6, "certs", "revoke", "bob")
    assert path.read_bytes() == b"garbage"
    assert gateway.revocations == []


def test_nothing_that_exists_is_written_over(tmp_path: Path) -> None:
    assert "exists already" in fails(2, "certs", "issue", "bob", "--folder", str(tmp_path))
    assert len(json.loads(ok("certs", "ls", "-o", "json"))["certificates"]) == 1


def test_what_is_not_there_is_said(home: FarmHome, tmp_path: Path) -> None:
    home.write(Context(farm="cellar", address="cellar:1"))
    assert "bootstrapped" in fails(2, "certs", "issue", "bob", "--context", "cellar")
    assert "cannot be read" in fails(2, "certs", "show", str(tmp_path / "none.pem"))
    (home.path / "current").unlink()
    assert "no farm is current" in fails(2, "certs", "ls")
