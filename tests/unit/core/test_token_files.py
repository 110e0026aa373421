"""The file of tokens: one owner, replaced whole, one change at a time."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from farm.core.errors import ConfigurationError
from farm.core.private_files import locked
from farm.core.roles import Role
from farm.core.token_files import kept_tokens, read_tokens, write_tokens

NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "farm" / "tokens.json"


def issue(file: Path, name: str) -> None:
    with locked(file):
        write_tokens(file, kept_tokens(file).issue(name, Role.INFER, now=NOW, days=1)[0])


def test_a_file_that_is_not_there_holds_none(file: Path) -> None:
    assert kept_tokens(file).issued == ()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_tokens(file)


def test_it_is_its_owners_alone(file: Path) -> None:
    issue(file, "ci")
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o640)
    with pytest.raises(ConfigurationError, match="others on this machine can read it"):
        read_tokens(file)


def test_changes_at_once_lose_nothing(file: Path) -> None:
    names = [f"ci-{number}" for number in range(20)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda name: issue(file, name), names))
    assert {token.name for token in read_tokens(file).issued} == set(names)


@pytest.mark.parametrize("length", [0, 1, 40, -2])
def test_a_file_that_was_cut_is_named(file: Path, length: int) -> None:
    issue(file, "ci")
    file.write_bytes(file.read_bytes()[:length])
    with pytest.raises(ConfigurationError, match=f"{file} is damaged"):
        read_tokens(file)
