"""Whether a file is still the one that was read."""

from collections.abc import Callable
from pathlib import Path

import pytest

from farm.core.file_stamps import stamp_of


def replaced(path: Path) -> None:
    new = path.with_suffix(".new")
    new.write_text("another")
    new.replace(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_text("longer than before"),
        lambda path: path.chmod(0o600),
        replaced,
    ],
    ids=["written", "allowed", "replaced"],
)
def test_every_change_is_seen(tmp_path: Path, change: Callable[[Path], object]) -> None:
    path = tmp_path / "file"
    path.write_text("before")
    path.chmod(0o644)
    before = stamp_of(path)
    assert stamp_of(path) == before
    change(path)
    assert stamp_of(path) != before


def test_a_file_that_is_not_there_has_none(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        stamp_of(tmp_path / "file")
