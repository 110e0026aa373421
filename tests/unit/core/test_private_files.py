"""Files that are replaced whole, and secrets."""

from pathlib import Path

import pytest

from farm.core.errors import ConfigurationError
from farm.core.private_files import PRIVATE, read_private, replace_file


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    replace_file(path, b"one")
    replace_file(path, b"two", mode=PRIVATE)
    assert read_private(path) == b"two"
    assert path.stat().st_mode & 0o777 == PRIVATE
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_what_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    (path / "inside").mkdir(parents=True)
    with pytest.raises(ConfigurationError, match="cannot be written"):
        replace_file(path, b"one")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666, 0o620])
def test_a_secret_that_others_can_reach_is_refused(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"secret")
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match=r"chmod 600 .*key"):
        read_private(path)


def test_a_secret_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"key cannot be read: No such file"):
        read_private(tmp_path / "key")
