"""Files are replaced whole, and a state folder belongs to one gateway."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from farm.core.errors import ConfigurationError
from farm.repository import durable
from farm.repository.durable import held, write_atomically

TRY = """
import sys
from pathlib import Path
from farm.core.errors import ConfigurationError
from farm.repository.durable import held
try:
    with held(Path(sys.argv[1])):
        print("taken")
except ConfigurationError as error:
    print(error.message)
"""


def attempt(folder: Path) -> str:
    run = [sys.executable, "-c", TRY, str(folder)]
    return subprocess.run(run, capture_output=True, text=True, timeout=60, check=True).stdout


def test_a_second_gateway_is_told_who_has_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "farm"
    with held(folder):
        assert "another gateway uses the state folder" in attempt(folder)
        assert "FARM_STATE_DIR" in attempt(folder)
    assert attempt(folder) == "taken\n"


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused = pytest.raises(ConfigurationError, match="file/state cannot be used")
    with refused, held(tmp_path / "file" / "state"):
        pass


def test_a_writer_in_the_middle_of_another_one_spoils_neither(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "curves.json"
    real = durable.write_durably

    def interrupted(partial: Path, data: bytes) -> None:
        real(partial, data)
        monkeypatch.setattr(durable, "write_durably", real)
        write_atomically(path, b"the other one's, which is longer")
        assert path.read_bytes() == b"the other one's, which is longer"

    monkeypatch.setattr(durable, "write_durably", interrupted)
    write_atomically(path, b"mine")
    assert path.read_bytes() == b"mine"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_nothing_beside_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "curves.json"
    write_atomically(path, b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
