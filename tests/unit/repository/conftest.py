"""A repository in a temporary folder, a way to put files into it, and a way to read it."""

from collections.abc import Callable
from pathlib import Path

import pytest
import tiny_onnx

from farm.repository.artifacts import VersionReader
from farm.repository.layout import list_model
from farm.repository.limits import RepositoryLimits
from farm.repository.listing import ModelListing
from farm.repository.repository import Repository

Put = Callable[..., Path]
Open = Callable[..., Repository]
Listed = Callable[..., ModelListing]


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    root = tmp_path / "models"
    root.mkdir()
    return root


@pytest.fixture
def put(repo: Path) -> Put:
    """Write a file into the repository, with the folders it lies in; return its path."""

    def write(path: str, data: bytes = tiny_onnx.MODEL) -> Path:
        target = repo / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        return target

    return write


@pytest.fixture
def repository(repo: Path, tmp_path: Path) -> Open:
    """Open the repository, as a gateway that was started anew would."""

    def open_anew(*, state: bool = True, **limits: int) -> Repository:
        return Repository(
            repo,
            limits=RepositoryLimits(**limits),
            state_dir=tmp_path / "state" if state else None,
            scratch_dir=tmp_path / "scratch",
        )

    return open_anew


@pytest.fixture
def listed(repo: Path) -> Listed:
    """List one model, with limits if some are given."""

    def look(name: str = "digits", **limits: int) -> ModelListing:
        return list_model(repo, name, reader=VersionReader(RepositoryLimits(**limits)))

    return look
