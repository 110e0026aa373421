"""Files that must not be served: links, libraries, odd types, odd names."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from farm.repository.digests import stream_digest
from farm.repository.listing import ModelListing

Put = Callable[..., Path]
Listed = Callable[..., ModelListing]
Refusal = Callable[[], str]


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A readable file outside the repository."""
    secret = tmp_path / "secret.bin"
    secret.write_bytes(b"secret: of the host")
    return secret


@pytest.fixture
def refusal(repo: Path, listed: Listed) -> Refusal:
    """The reason of the one refusal; nothing of the model may be served beside it."""

    def look() -> str:
        listing = listed()
        assert listing.available == ()
        reasons = [listing.refusal, *(version.reason for version in listing.refused)]
        (reason,) = filter(None, reasons)
        assert str(repo) not in reason
        return reason

    return look


@pytest.mark.parametrize("path", ["model.onnx", "weights.bin", "data/w.bin", "golden/any/x.npz"])
@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_a_linked_file(
    repo: Path,
    put: Put,
    outside: Path,
    link: Callable[[Path, Path], None],
    path: str,
    refusal: Refusal,
) -> None:
    put("digits/1/model.onnx")
    place = repo / "digits/1" / path
    place.unlink(missing_ok=True)
    place.parent.mkdir(parents=True, exist_ok=True)
    link(place, outside)
    kind = "is a symbolic link" if link is Path.symlink_to else "has 2 hard links"
    assert f"digits/1/{path} {kind}" in refusal()


def test_a_hard_link_within_the_version_is_refused_too(
    repo: Path, put: Put, refusal: Refusal
) -> None:
    (repo / "digits").mkdir()
    model = put("digits/1/model.onnx")
    (repo / "digits/1/again.bin").hardlink_to(model)
    assert "has 2 hard links" in refusal()


@pytest.mark.parametrize("folder", ["digits", "digits/1", "digits/1/data", "digits/1/golden/any"])
def test_a_linked_folder(
    repo: Path, put: Put, tmp_path: Path, folder: str, refusal: Refusal
) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "1").mkdir(parents=True)
    (elsewhere / "model.onnx").touch()
    (elsewhere / "x.npz").touch()
    if folder.startswith("digits/1/"):
        put("digits/1/model.onnx")
    (repo / folder).parent.mkdir(parents=True, exist_ok=True)
    (repo / folder).symlink_to(elsewhere)
    assert f"{folder} is a symbolic link" in refusal()


@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_a_linked_config_shows_nothing_of_its_target(
    repo: Path, put: Put, outside: Path, link: Callable[[Path, Path], None], refusal: Refusal
) -> None:
    put("digits/1/model.onnx")
    link(repo / "digits/config.pbtxt", outside)
    reason = refusal()
    assert reason.startswith("digits/config.pbtxt ")
    assert "secret" not in reason


def test_a_link_that_leads_nowhere(repo: Path, put: Put, refusal: Refusal) -> None:
    put("digits/1/model.onnx")
    (repo / "digits/2").symlink_to(repo / "digits/2")
    assert "digits/2 is a symbolic link" in refusal()


@pytest.mark.parametrize("place", ["digits/1/model.onnx", "digits/1/data", "digits/config.pbtxt"])
def test_a_pipe_is_refused_without_waiting_for_a_writer(
    repo: Path, put: Put, place: str, refusal: Refusal
) -> None:
    put("digits/1/model.onnx")
    (repo / place).unlink(missing_ok=True)
    os.mkfifo(repo / place)
    assert f"{place} is a pipe, socket or device" in refusal()


@pytest.mark.parametrize("name", ["ops.so", "data/libops.so.1.2", "OPS.SO", "ops.dll"])
def test_a_library_of_custom_operators(repo: Path, put: Put, name: str, refusal: Refusal) -> None:
    put("digits/1/model.onnx")
    put(f"digits/1/{name}")
    assert f"digits/1/{name} is a library of custom operators" in refusal()


@pytest.mark.parametrize("then", [b"first half, second half", b"FIRST HALF", b""])
def test_a_file_that_is_still_being_copied(
    repo: Path, put: Put, monkeypatch: pytest.MonkeyPatch, then: bytes, refusal: Refusal
) -> None:
    model = put("digits/1/model.onnx", b"first half")
    os.utime(model, ns=(0, 0))

    def read_while_it_changes(stream: BinaryIO) -> tuple[str, int]:
        result = stream_digest(stream)
        model.write_bytes(then)
        if len(then) != len(b"first half"):
            # Clocks of file systems are coarse: the size alone must tell.
            os.utime(model, ns=(0, 0))
        return result

    monkeypatch.setattr("farm.repository.file_facts.stream_digest", read_while_it_changes)
    assert "digits/1/model.onnx was being written while it was read" in refusal()


def test_a_link_made_between_check_and_open(
    repo: Path, put: Put, outside: Path, monkeypatch: pytest.MonkeyPatch, refusal: Refusal
) -> None:
    model = put("digits/1/model.onnx")
    really_open = os.open

    def open_late(path: str | Path, flags: int, *, dir_fd: int | None = None) -> int:
        if path == "model.onnx":
            model.unlink()
            model.hardlink_to(outside)
        return really_open(path, flags, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", open_late)
    assert "has 2 hard links" in refusal()


def test_a_version_without_a_model(repo: Path, put: Put, refusal: Refusal) -> None:
    put("digits/1/weights.bin")
    assert "digits/1 has no file model.onnx" in refusal()


def test_an_empty_version_folder(repo: Path, refusal: Refusal) -> None:
    (repo / "digits/1").mkdir(parents=True)
    assert "digits/1 has no file model.onnx" in refusal()


def test_a_folder_in_the_model_files_place_holds_the_model(put: Put, listed: Listed) -> None:
    put("digits/1/model.onnx/model.onnx")
    put("digits/1/model.onnx/weights.bin")
    (version,) = listed().available
    assert version.artifact.main == "model.onnx/model.onnx"


def test_a_folder_without_a_model_in_the_model_files_place(put: Put, refusal: Refusal) -> None:
    put("digits/1/model.onnx/net.onnx")
    assert "digits/1 has no file model.onnx" in refusal()


def test_a_folder_in_the_configs_place(repo: Path, put: Put, refusal: Refusal) -> None:
    put("digits/1/model.onnx")
    (repo / "digits/config.pbtxt").mkdir()
    assert "digits/config.pbtxt is a folder" in refusal()


@pytest.mark.parametrize("name", [b"a\tb", b"a\nb", b"\xff"])
def test_a_name_that_would_blur_the_digest(
    repo: Path, put: Put, name: bytes, refusal: Refusal
) -> None:
    put("digits/1/model.onnx")
    put(f"digits/1/{os.fsdecode(name)}")
    reason = refusal()
    assert "cannot be printed" in reason
    assert reason.isprintable()


def test_hidden_files_neither_travel_nor_refuse(put: Put, listed: Listed) -> None:
    put("digits/1/model.onnx")
    put("digits/1/.DS_Store")
    put("digits/1/.cache/ops.so")
    (version,) = listed().available
    assert [file.path for file in version.artifact.files] == ["model.onnx"]
