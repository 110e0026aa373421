"""`farm certs`, as an operator uses it."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from commands import fails, farm, ok

from farm.contexts import Context, FarmHome
from farm.core.identities import IdentityKind
from farm.pki import Authority, inspect


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


def test_nothing_that_exists_is_written_over(tmp_path: Path) -> None:
    assert "exists already" in fails(2, "certs", "issue", "bob", "--folder", str(tmp_path))
    assert len(json.loads(ok("certs", "ls", "-o", "json"))["certificates"]) == 1


def test_what_is_not_there_is_said(home: FarmHome, tmp_path: Path) -> None:
    home.write(Context(farm="cellar", address="cellar:1"))
    assert "bootstrapped" in fails(2, "certs", "issue", "bob", "--context", "cellar")
    assert "cannot be read" in fails(2, "certs", "show", str(tmp_path / "none.pem"))
    (home.path / "current").unlink()
    assert "no farm is current" in fails(2, "certs", "ls")
