"""A state folder belongs to one gateway."""

import subprocess
import sys
from pathlib import Path

import pytest

from farm.core.errors import ConfigurationError
from farm.repository.durable import held

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
