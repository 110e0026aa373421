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
from farm.repository.listing import ModelListing

Put = Callable[..., Path]
Listed = Callable[..., ModelListing]
BlobsOf = Callable[..., RepositoryBlobs]

DATA = b"0123456789"
DIGEST = sha256(DATA).hexdigest()
FILE = "digits/1/weights.bin"


@pytest.fixture
def blobs_of(repo: Path, listed: Listed) -> BlobsOf:
    """The bytes of some models of the repository, as they are listed now."""

    def look(*names: str) -> RepositoryBlobs:
        blobs = RepositoryBlobs()
        for name in names:
            for version in listed(name).available:
                blobs.add(repo, version.artifact)
        return blobs

    return look


@pytest.fixture
def blobs(put: Put, blobs_of: BlobsOf) -> BlobSource:
    put("digits/1/model.onnx")
    put(FILE, DATA)
    put("digits/1/golden/any/x.npz", b"golden")
    return blobs_of("digits")


def test_chunks_are_full_but_for_the_last(blobs: BlobSource) -> None:
    assert list(blobs.chunks(DIGEST, 4)) == [b"0123", b"4567", b"89"]
    assert list(blobs.chunks(DIGEST, 5)) == [b"01234", b"56789"]
    assert list(blobs.chunks(DIGEST, 1 << 20)) == [DATA]


def test_goldens_can_be_read_too(blobs: BlobSource) -> None:
    assert list(blobs.chunks(sha256(b"golden").hexdigest(), 100)) == [b"golden"]


def test_the_representation_is_one_line_without_paths(blobs: BlobSource) -> None:
    assert repr(blobs) == "<RepositoryBlobs 3 digests>"


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=300), chunk_bytes=st.integers(1, 64))
def test_chunks_join_to_the_file(
    put: Put, blobs_of: BlobsOf, data: bytes, chunk_bytes: int
) -> None:
    put("any/1/model.onnx")
    put("any/1/weights.bin", data)
    chunks = list(blobs_of("any").chunks(sha256(data).hexdigest(), chunk_bytes))
    assert b"".join(chunks) == data
    assert all(len(chunk) == chunk_bytes for chunk in chunks[:-1])


def test_an_unknown_digest(blobs: BlobSource) -> None:
    with pytest.raises(IntegrityError, match="no model of the repository"):
        list(blobs.chunks("0" * 64, 4))


def test_no_chunk_size(blobs: BlobSource) -> None:
    with pytest.raises(ValueError, match="chunk_bytes is 0"):
        list(blobs.chunks(DIGEST, 0))


def swap_bytes(path: Path) -> None:
    path.write_bytes(DATA[::-1])


def swap_file(path: Path) -> None:
    fresh = path.with_name("fresh")
    fresh.write_bytes(DATA[::-1])
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
    "shorter": lambda path: path.write_bytes(DATA[:-1]),
    "longer": lambda path: path.write_bytes(DATA + b"!"),
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
    CHANGES[change](repo / FILE)
    with pytest.raises(IntegrityError) as caught:
        list(blobs.chunks(DIGEST, 4))
    message = caught.value.message
    assert message.startswith(f"{FILE} was changed, moved or deleted")
    assert "new version folder" in message
    assert str(repo) not in message


@pytest.mark.parametrize("rest", [b"4567XY", b"4567", b"456789 and on and on"])
def test_a_file_changed_while_it_is_read(put: Put, blobs_of: BlobsOf, rest: bytes) -> None:
    # Larger than the reader's buffer, so that the change is seen.
    head = bytes(1 << 16)
    put("digits/1/model.onnx")
    path = put(FILE, head + b"456789")
    stream = blobs_of("digits").chunks(sha256(head + b"456789").hexdigest(), len(head))
    assert next(stream) == head
    with path.open("r+b") as file:
        file.seek(len(head))
        file.truncate()
        file.write(rest)
    with pytest.raises(IntegrityError, match="was changed"):
        list(stream)


def test_a_file_that_grows_is_not_read_beyond_its_size(put: Put, blobs_of: BlobsOf) -> None:
    half = bytes(1 << 16)
    put("digits/1/model.onnx")
    path = put(FILE, half + half)
    stream = blobs_of("digits").chunks(sha256(half + half).hexdigest(), len(half))
    taken = [next(stream)]
    with path.open("ab") as file:
        file.write(half)
    with pytest.raises(IntegrityError, match="was changed"):
        taken.extend(stream)
    assert taken == [half, half]


def test_a_shared_file_outlives_one_of_its_versions(
    repo: Path, put: Put, blobs_of: BlobsOf
) -> None:
    for model in ("a", "b"):
        put(f"{model}/1/model.onnx")
        put(f"{model}/1/weights.bin", DATA)
    blobs = blobs_of("a", "b")
    put("a/1/weights.bin", DATA[:-1])
    assert list(blobs.chunks(DIGEST, 100)) == [DATA]
    (repo / "a/1/weights.bin").unlink()
    assert list(blobs.chunks(DIGEST, 100)) == [DATA]
    (repo / "b/1/weights.bin").unlink()
    with pytest.raises(IntegrityError):
        list(blobs.chunks(DIGEST, 100))


def test_what_is_forgotten_is_not_handed_out(put: Put, blobs_of: BlobsOf) -> None:
    for model in ("a", "b"):
        put(f"{model}/1/model.onnx")
        put(f"{model}/1/weights.bin", DATA)
    blobs = blobs_of("a", "a", "b")
    assert blobs.keep_only("a", []) == frozenset()
    assert list(blobs.chunks(DIGEST, 100)) == [DATA]
    blobs.keep_only("b", [])
    with pytest.raises(IntegrityError):
        list(blobs.chunks(DIGEST, 100))
    assert repr(blobs) == "<RepositoryBlobs 0 digests>"


def test_what_is_still_served_is_kept(
    repo: Path, put: Put, listed: Listed, blobs_of: BlobsOf
) -> None:
    put("a/1/model.onnx")
    put("a/1/weights.bin", DATA)
    blobs = blobs_of("a")
    (old,) = listed("a").available
    put("a/1/weights.bin", DATA[::-1])
    (new,) = listed("a").available
    blobs.add(repo, new.artifact)
    assert blobs.keep_only("a", [new.artifact]) == {repo}
    assert list(blobs.chunks(sha256(DATA[::-1]).hexdigest(), 100)) == [DATA[::-1]]
    with pytest.raises(IntegrityError, match="no model"):
        list(blobs.chunks(DIGEST, 100))
    assert old.artifact.digest != new.artifact.digest


def test_bytes_of_warm_ups_are_handed_out(put: Put, blobs_of: BlobsOf) -> None:
    put("w/1/model.onnx")
    put("w/warmup/row.bin", b"1234")
    put(
        "w/config.pbtxt",
        b'model_warmup { batch_size: 1 inputs { key: "x" value { data_type: TYPE_FP32 dims: 1'
        b' input_data_file: "row.bin" } } }',
    )
    assert list(blobs_of("w").chunks(sha256(b"1234").hexdigest(), 100)) == [b"1234"]


def test_a_refused_version_has_no_blobs(put: Put, blobs_of: BlobsOf) -> None:
    put("digits/1/model.onnx")
    put(FILE, DATA)
    put("digits/1/ops.so")
    with pytest.raises(IntegrityError):
        list(blobs_of("digits").chunks(DIGEST, 4))


def test_an_abandoned_stream_closes_its_file(blobs: BlobSource) -> None:
    stream = blobs.chunks(DIGEST, 1)
    next(stream)
    before = len(list(Path("/proc/self/fd").iterdir()))
    del stream
    assert len(list(Path("/proc/self/fd").iterdir())) == before - 1
