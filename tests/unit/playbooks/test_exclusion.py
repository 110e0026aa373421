"""One command at a time changes a farm from one machine."""

import subprocess
import sys
from pathlib import Path

import pytest

from farm.contexts import FarmHome
from farm.core.errors import ConfigurationError
from playbooks.exclusion import FarmInUseError, alone

HOLDS = """
import sys
from pathlib import Path
from farm.contexts import FarmHome
from playbooks.exclusion import alone
with alone(FarmHome(Path(sys.argv[1])).folder("shelf")):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def home(tmp_path: Path) -> FarmHome:
    return FarmHome(tmp_path / "home")


def test_a_farm_can_be_changed_again_afterwards(home: FarmHome) -> None:
    for _ in range(2):
        with alone(home.folder("shelf")):
            pass


def test_another_farm_is_another_matter(home: FarmHome) -> None:
    with alone(home.folder("shelf")), alone(home.folder("attic")):
        pass


def test_another_process_keeps_it_until_it_ends_however_it_ends(home: FarmHome) -> None:
    other = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(home.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with (
            pytest.raises(FarmInUseError, match=r"another .* is changing farm 'shelf'"),
            alone(home.folder("shelf")),
        ):
            raise AssertionError("two at once")
        other.kill()
        other.wait(10)
    with alone(home.folder("shelf")):
        pass


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "home").touch()
    with (
        pytest.raises(ConfigurationError, match="cannot be written"),
        alone(FarmHome(tmp_path / "home").folder("shelf")),
    ):
        raise AssertionError("there is no such folder")
