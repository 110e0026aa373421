"""`farm run`, as far as it goes without a farm."""

from pathlib import Path

import pytest
from commands import fails


@pytest.mark.parametrize("part", ["node", "head", "gateway"])
def test_a_file_that_is_not_there_is_a_usage_error(part: str, tmp_path: Path) -> None:
    said = fails(2, "run", part, "--config", str(tmp_path / "nowhere.yaml"))
    assert "nowhere.yaml cannot be read: No such file" in said


def test_a_wrong_file_is_named_with_its_keys(tmp_path: Path) -> None:
    file = tmp_path / "node.yaml"
    file.write_text("name: pi-01\nheads: 198.18.0.10:6400\n")
    said = fails(2, "run", "node", "--config", str(file))
    assert f"{file}: heads: there is no such setting" in said
    assert f"{file}: address: is missing" in said
