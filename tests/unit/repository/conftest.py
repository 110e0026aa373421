"""A repository in a temporary folder, and a way to put files into it."""

from collections.abc import Callable
from pathlib import Path

import pytest

Put = Callable[..., Path]


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    root = tmp_path / "models"
    root.mkdir()
    return root


@pytest.fixture
def put(repo: Path) -> Put:
    """Write a file into the repository, with the folders it lies in; return its path."""

    def write(path: str, data: bytes = b"not really onnx") -> Path:
        target = repo / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        return target

    return write
