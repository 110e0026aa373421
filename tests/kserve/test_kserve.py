"""A second independent client, from an environment of its own: `make test-kserve` sets it up."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from farm_process import FarmProcess
from served_models import REPOSITORY

pytestmark = pytest.mark.kserve

ROOT = Path(__file__).parent.parent.parent
PYTHON = ROOT / ".venv-kserve" / "bin" / "python"


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarmProcess]:
    folder = tmp_path_factory.mktemp("kserve")
    with FarmProcess(folder, "--nodes", "1", "--models", str(REPOSITORY)) as process:
        yield process


def test_kserves_client_needs_nothing_special(farm: FarmProcess) -> None:
    assert PYTHON.exists(), "its environment is missing; `make test-kserve` makes it"
    smoke = Path(__file__).parent / "smoke.py"
    done = subprocess.run(
        [PYTHON, smoke, farm.grpc], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
