"""Bytes by digest: streamed, and refused once the file is not the one that was listed."""

import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from farm.core.errors import IntegrityError
from farm.core.pool import BlobSource
from farm.repository.blobs import RepositoryBlobs
from farm.repository.layout import scan

Put = Callable[..., Path]

MODEL = b"0123456789"
DIGEST = sha256(MODEL).hexdigest()


@pytest.fixture
def blobs(repo: Path, put: Put) -> BlobSource:
    put("digits/1/model.onnx", MODEL)
    put("digits/1/golden/any/x.npz", b"golden")
    return RepositoryBlobs(scan(repo))


def test_chunks_are_full_but_for_the_last(blobs: BlobSource) -> None:
    assert list(blobs.chunks(DIGEST, 4)) == [b"0123", b"4567", b"89"]
    assert list(blobs.chunks(DIGEST, 5)) == [b"01234", b"56789"]
    assert list(blobs.chunks(DIGEST, 1 << 20)) == [MODEL]


def test_goldens_can_be_read_too(blobs: BlobSource) -> None:
    assert list(blobs.chunks(sha256(b"golden").hexdigest(), 100)) == [b"golden"]


def test_the_representation_is_one_line_without_paths(blobs: BlobSource) -> None:
    assert repr(blobs) == "<RepositoryBlobs 2 digests>"


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=300), chunk_bytes=st.integers(1, 64))
def test_chunks_join_to_the_file(repo: Path, put: Put, data: bytes, chunk_bytes: int) -> None:
    put("any/1/model.onnx", data)
    blobs = RepositoryBlobs(scan(repo))
    chunks = list(blobs.chunks(sha256(data).hexdigest(), chunk_bytes))
    assert b"".join(chunks) == data
    assert all(len(chunk) == chunk_bytes for chunk in chunks[:-1])


def test_an_unknown_digest(blobs: BlobSource) -> None:
    with pytest.raises(IntegrityError, match="no model of the repository"):
        list(blobs.chunks("0" * 64, 4))


def test_no_chunk_size(blobs: BlobSource) -> None:
    with pytest.raises(ValueError, match="chunk_bytes is 0"):
        list(blobs.chunks(DIGEST, 0))


def swap_bytes(path: Path) -> None:
    path.write_bytes(MODEL[::-1])


def swap_file(path: Path) -> None:
    fresh = path.with_name("fresh")
    fresh.write_bytes(MODEL[::-1])
    fresh.rename(path)


def symlink(path: Path) -> None:
    target = path.parents[3] / "target"
    path.rename(target)
    path.symlink_to(target)


def symlink_folder(path: Path) -> None:
    target = path.parents[3] / "target"
    path.parent.rename(target)
    path.parent.symlink_to(target)


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


CHANGES: dict[str, Callable[[Path], object]] = {
    "other bytes": swap_bytes,
    "other file": swap_file,
    "shorter": lambda path: path.write_bytes(MODEL[:-1]),
    "longer": lambda path: path.write_bytes(MODEL + b"!"),
    "gone": Path.unlink,
    "symbolic link": symlink,
    "symbolic link to the folder": symlink_folder,
    "hard link": lambda path: (path.parents[3] / "link").hardlink_to(path),
    "pipe": pipe,
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_file_is_named_with_what_to_do(
    repo: Path, blobs: BlobSource, change: str
) -> None:
    CHANGES[change](repo / "digits/1/model.onnx")
    with pytest.raises(IntegrityError) as caught:
        list(blobs.chunks(DIGEST, 4))
    message = caught.value.message
    assert message.startswith("digits/1/model.onnx was changed, moved or deleted")
    assert "new version folder" in message
    assert str(repo) not in message


@pytest.mark.parametrize("rest", [b"4567XY", b"4567", b"456789 and on and on"])
def test_a_file_changed_while_it_is_read(repo: Path, put: Put, rest: bytes) -> None:
    # Larger than the reader's buffer, so that the change is seen.
    head = bytes(1 << 16)
    path = put("digits/1/model.onnx", head + b"456789")
    blobs = RepositoryBlobs(scan(repo))
    stream = blobs.chunks(sha256(head + b"456789").hexdigest(), len(head))
    assert next(stream) == head
    with path.open("r+b") as file:
        file.seek(len(head))
        file.truncate()
        file.write(rest)
    with pytest.raises(IntegrityError, match="was changed"):
        list(stream)


def test_a_file_that_grows_is_not_read_beyond_its_size(repo: Path, put: Put) -> None:
    half = bytes(1 << 16)
    path = put("digits/1/model.onnx", half + half)
    stream = RepositoryBlobs(scan(repo)).chunks(sha256(half + half).hexdigest(), len(half))
    taken = [next(stream)]
    with path.open("ab") as file:
        file.write(half)
    with pytest.raises(IntegrityError, match="was changed"):
        taken.extend(stream)
    assert taken == [half, half]


def test_a_shared_file_outlives_one_of_its_versions(repo: Path, put: Put) -> None:
    for model in ("a", "b"):
        put(f"{model}/1/model.onnx", MODEL)
    blobs = RepositoryBlobs(scan(repo))
    put("a/1/model.onnx", MODEL[:-1])
    assert list(blobs.chunks(DIGEST, 100)) == [MODEL]
    (repo / "a/1/model.onnx").unlink()
    assert list(blobs.chunks(DIGEST, 100)) == [MODEL]
    (repo / "b/1/model.onnx").unlink()
    with pytest.raises(IntegrityError):
        list(blobs.chunks(DIGEST, 100))


def test_a_refused_version_has_no_blobs(repo: Path, put: Put) -> None:
    put("digits/1/model.onnx", MODEL)
    put("digits/1/ops.so")
    with pytest.raises(IntegrityError):
        list(RepositoryBlobs(scan(repo)).chunks(DIGEST, 4))


def test_an_abandoned_stream_closes_its_file(repo: Path, blobs: BlobSource) -> None:
    stream = blobs.chunks(DIGEST, 1)
    next(stream)
    before = len(list(Path("/proc/self/fd").iterdir()))
    del stream
    assert len(list(Path("/proc/self/fd").iterdir())) == before - 1
