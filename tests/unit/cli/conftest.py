"""Commands find no farm but the one that a test tells them of."""

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def no_farm_in_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith("FARM_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("FARM_HOME", str(tmp_path / "farm-home"))
    # Commands set it for their process, which this one outlives.
    monkeypatch.setenv("GRPC_VERBOSITY", "NONE")
