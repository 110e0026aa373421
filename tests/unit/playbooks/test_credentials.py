"""What the operator's machine keeps of a farm: made once, private, renewed when due."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from farm.contexts import FarmHome
from farm.core.errors import ConfigurationError
from farm.core.identities import Identity, IdentityKind
from farm.core.revocations import RevocationReason
from farm.pki import REVOCATIONS_FILE, inspect, revoke
from playbooks.credentials import Credentials

NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def home(tmp_path: Path) -> FarmHome:
    return FarmHome(tmp_path / "home")


def kept(home: FarmHome, *, after: timedelta = timedelta()) -> Credentials:
    return Credentials.kept(home, "shelf", now=NOW + after)


def files(home: FarmHome) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in home.path.rglob("*") if path.is_file()}


def test_they_are_made_once(home: FarmHome) -> None:
    first = kept(home)
    before = files(home)
    second = kept(home)
    assert files(home) == before
    assert second.token == first.token
    assert second.authority.certificate_pem == first.authority.certificate_pem
    assert len(first.token) == 64


def test_secrets_are_the_operators_alone(home: FarmHome) -> None:
    kept(home)
    folder = home.folder("shelf")
    for secret in (folder.ray_token, folder.operator_key, folder.authority / "ca-key.pem"):
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    folder.ray_token.chmod(0o644)
    with pytest.raises(ConfigurationError, match=r"is a secret, and others .* can read it"):
        kept(home)


def test_farms_share_nothing(home: FarmHome) -> None:
    one, two = kept(home), Credentials.kept(home, "attic", now=NOW)
    assert one.token != two.token
    assert one.authority.certificate_pem != two.authority.certificate_pem


def test_what_an_interruption_left_is_completed(home: FarmHome) -> None:
    kept(home)
    folder = home.folder("shelf")
    folder.operator_key.unlink()
    folder.ray_token.unlink()
    again = kept(home)
    assert folder.ray_token.read_bytes() == again.token
    assert folder.operator_key.exists()


def test_the_operators_certificate_is_renewed_before_it_ends(home: FarmHome) -> None:
    certificate = home.folder("shelf").operator_certificate
    kept(home)
    before = certificate.read_bytes()
    kept(home, after=timedelta(days=300))
    assert certificate.read_bytes() == before
    kept(home, after=timedelta(days=350))
    assert inspect(certificate.read_bytes()).not_after > inspect(before).not_after


def test_an_operators_certificate_of_the_version_before_becomes_an_admins(home: FarmHome) -> None:
    authority = kept(home).authority
    certificate = home.folder("shelf").operator_certificate
    before = Identity("shelf", IdentityKind.OPERATOR, "operator")
    certificate.write_bytes(authority.issue(before, now=NOW).certificate_pem)
    kept(home)
    now = inspect(certificate.read_bytes()).identity
    assert now == Identity("shelf", IdentityKind.ADMIN, "operator")


def test_an_operator_who_was_revoked_gets_a_new_certificate(home: FarmHome) -> None:
    authority = kept(home).authority
    folder = home.folder("shelf")
    before = inspect(folder.operator_certificate.read_bytes())
    revoke(
        authority, folder.authority, [before.serial], reason=RevocationReason.SUPERSEDED, now=NOW
    )
    again = kept(home)
    after = inspect(folder.operator_certificate.read_bytes())
    assert after.serial != before.serial
    assert after.identity == before.identity
    assert again.revocations == (folder.authority / REVOCATIONS_FILE).read_bytes()


def test_the_context_leads_to_the_gateway(home: FarmHome) -> None:
    home.write(kept(home).context("198.18.0.2:8001"))
    context = home.context("shelf")
    assert context.address == "198.18.0.2:8001"
    for file in (context.ca, context.certificate, context.key):
        assert file is not None
        assert file.exists()
