"""The model store: only whole files become visible, and the cap holds."""

import errno
import io
import os
from pathlib import Path
from typing import Any

import pytest
from onnx_models import artifact, sha256

from farm.core.errors import IntegrityError, InternalError, ModelUnavailableError
from farm.core.models import (
    ModelArtifact,
    ModelFile,
    ModelKey,
    Warmup,
    WarmupData,
    WarmupInput,
)
from farm.core.tensors import Datatype
from farm.node.store import ModelStore, verify

CAP = 100


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(root: Path) -> ModelStore:
    return ModelStore(root, max_bytes=CAP)


def put(store: ModelStore, data: bytes, chunk_bytes: int = 16) -> str:
    digest = sha256(data)
    for offset in range(0, len(data), chunk_bytes):
        store.append(digest, offset, data[offset : offset + chunk_bytes])
    store.commit(digest)
    return digest


def missing(store: ModelStore, *digests: str) -> tuple[str, ...]:
    """Return which files are not there, asked with sizes that are far below the cap."""
    return store.missing(dict.fromkeys(digests, 1))


def sizes(*files: bytes) -> dict[str, int]:
    return {sha256(data): len(data) for data in files}


def age(root: Path, digest: str, seconds: float) -> None:
    """Make a blob look as if it was last used `seconds` before the epoch's second 1e6."""
    os.utime(root / "blobs" / digest, (1e6 - seconds, 1e6 - seconds))


def total_bytes(root: Path) -> int:
    return sum(path.stat().st_size for path in (root / "blobs").iterdir())


def test_a_file_arrives_in_chunks(store: ModelStore) -> None:
    data = bytes(range(50))
    digest = sha256(data)
    assert missing(store, digest) == (digest,)
    assert put(store, data) == digest
    assert missing(store, digest) == ()


def test_a_file_is_still_missing_until_its_last_chunk_was_checked(store: ModelStore) -> None:
    digest = sha256(bytes(50))
    store.append(digest, 0, bytes(50))
    assert missing(store, digest) == (digest,)


def test_a_damaged_file_is_thrown_away_and_can_be_sent_again(store: ModelStore) -> None:
    digest = sha256(b"right")
    store.append(digest, 0, b"wrong")
    with pytest.raises(IntegrityError, match=f"{digest[:12]} arrived damaged"):
        store.commit(digest)
    assert missing(store, digest) == (digest,)
    assert put(store, b"right") == digest
    assert missing(store, digest) == ()


@pytest.mark.parametrize("offset", [0 + 3, 7])
def test_a_chunk_that_does_not_follow_is_refused(store: ModelStore, offset: int) -> None:
    digest = sha256(b"12345678")
    store.append(digest, 0, b"12345")
    with pytest.raises(IntegrityError, match=r"chunk of file .* is missing"):
        store.append(digest, offset, b"678")
    store.append(digest, 5, b"678")
    store.commit(digest)
    assert missing(store, digest) == ()


def test_a_file_that_was_not_begun_cannot_go_on(store: ModelStore) -> None:
    with pytest.raises(IntegrityError, match="was not begun"):
        store.append(sha256(b"x"), 5, b"678")


def test_a_transfer_begins_anew_at_offset_0(store: ModelStore) -> None:
    digest = sha256(b"whole")
    store.append(digest, 0, b"whole and more")
    store.append(digest, 0, b"whole")
    store.commit(digest)
    assert missing(store, digest) == ()


def test_whole_files_survive_a_restart_and_cut_ones_do_not(store: ModelStore, root: Path) -> None:
    whole = put(store, b"whole")
    cut = sha256(b"cut short")
    store.append(cut, 0, b"cut")
    again = ModelStore(root, max_bytes=CAP)
    assert missing(again, whole, cut) == (cut,)
    with pytest.raises(IntegrityError):
        again.append(cut, 3, b" short")


def held(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_model_folder_holds_its_files_and_a_trial_folder_the_rest(store: ModelStore) -> None:
    files = {"model.onnx": b"graph", "weights/a.bin": b"weights"}
    goldens = {"golden/any/g.npz": b"golden"}
    for data in (*files.values(), *goldens.values(), b"row"):
        put(store, data)
    wanted = artifact(files, goldens=goldens, warmups=(warmup("w/row"), warmup("w/row")))
    assert held(store.install(wanted)) == files
    first, second = store.stage(wanted), store.stage(wanted)
    assert held(first) == held(second) == goldens | {"w/row": b"row"}
    store.discard(first)
    assert (first.exists(), second.exists()) == (False, True)


def warmup(path: str) -> Warmup:
    """A warm-up with one input, read from a file that holds b"row"."""
    file = ModelFile(path=path, sha256=sha256(b"row"), size_bytes=3)
    given = WarmupInput(
        name="x", datatype=Datatype.UINT8, shape=(3,), data=WarmupData.FILE, file=file
    )
    return Warmup(name="w", batch_size=1, count=1, inputs=(given,))


def test_what_is_installed_stays_when_its_file_was_damaged_since(
    store: ModelStore, root: Path
) -> None:
    wanted = artifact({"model.onnx": b"graph"})
    put(store, b"graph")
    folder = store.install(wanted)
    (root / "blobs" / sha256(b"graph")).write_bytes(b"grapf")
    with pytest.raises(IntegrityError, match="fetched again at the next load"):
        store.install(wanted)
    assert folder.exists()
    put(store, b"graph")
    assert held(store.install(wanted)) == {"model.onnx": b"graph"}


def test_installing_again_leaves_nothing_of_the_old_folder(store: ModelStore) -> None:
    put(store, b"graph")
    wanted = artifact({"model.onnx": b"graph"})
    (store.install(wanted) / "stray").write_bytes(b"stray")
    assert [path.name for path in store.install(wanted).iterdir()] == ["model.onnx"]


def test_a_blob_that_rotted_on_disk_is_dropped_and_named(store: ModelStore, root: Path) -> None:
    digest = put(store, b"graph")
    (root / "blobs" / digest).write_bytes(b"grapf")
    with pytest.raises(IntegrityError, match=r"'model.onnx' of model 'tiny:1' is damaged"):
        store.install(artifact({"model.onnx": b"graph"}))
    assert missing(store, digest) == (digest,)


def test_a_blob_that_became_a_link_is_dropped(store: ModelStore, root: Path) -> None:
    digest = put(store, b"graph")
    blob = root / "blobs" / digest
    blob.rename(root / "elsewhere")
    blob.symlink_to(root / "elsewhere")
    with pytest.raises(IntegrityError, match="is damaged"):
        store.install(artifact({"model.onnx": b"graph"}))
    assert missing(store, digest) == (digest,)


def test_a_disk_that_takes_nothing_is_told_and_keeps_no_half_of_a_file(
    store: ModelStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = sha256(b"graph")
    store.append(digest, 0, b"gr")

    class FullDisk(io.FileIO):
        def write(self, data: Any, /) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def opened(path: Path, mode: str) -> io.FileIO:
        return FullDisk(path, mode)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", opened)
        with pytest.raises(InternalError, match=r"does not take.*No space left.*free or repair"):
            store.append(digest, 2, b"aph")
    assert list((root / "partial").iterdir()) == []
    assert put(store, b"graph") == digest


def test_a_missing_blob_is_named(store: ModelStore) -> None:
    with pytest.raises(IntegrityError, match=r"'model.onnx' of model 'tiny:1'"):
        store.install(artifact({"model.onnx": b"graph"}))


def test_the_least_recently_used_file_makes_room(store: ModelStore, root: Path) -> None:
    first, second = put(store, b"1" * 40), put(store, b"2" * 40)
    age(root, first, 20)
    age(root, second, 10)
    third = put(store, b"3" * 40)
    assert missing(store, first, second, third) == (first,)
    assert total_bytes(root) <= CAP


def test_loading_a_model_makes_its_files_recently_used(store: ModelStore, root: Path) -> None:
    first, second = put(store, b"1" * 40), put(store, b"2" * 40)
    age(root, first, 20)
    age(root, second, 10)
    used = artifact({"model.onnx": b"1" * 40})
    store.install(used)
    store.remove(used.digest)
    third = put(store, b"3" * 40)
    assert missing(store, first, second, third) == (second,)


def test_files_of_loaded_models_are_never_deleted(store: ModelStore, root: Path) -> None:
    loaded = put(store, b"1" * 60)
    age(root, loaded, 1000)
    wanted = artifact({"model.onnx": b"1" * 60})
    folder = store.install(wanted)
    with pytest.raises(ModelUnavailableError, match=r"100 bytes; unload a model or raise"):
        put(store, b"2" * 60)
    assert (folder / "model.onnx").read_bytes() == b"1" * 60
    store.remove(wanted.digest)
    assert missing(store, put(store, b"2" * 60), loaded) == (loaded,)


def test_a_file_larger_than_the_cap_is_refused(store: ModelStore) -> None:
    digest = sha256(bytes(CAP + 1))
    with pytest.raises(
        ModelUnavailableError, match=r"101 more bytes do not fit .* max_store_bytes"
    ):
        put(store, bytes(CAP + 1))
    assert missing(store, digest) == (digest,)


@pytest.mark.parametrize("path", ["../out", "a/../../out", "/out", ".."])
def test_a_file_cannot_leave_its_models_folder(store: ModelStore, root: Path, path: str) -> None:
    put(store, b"graph")
    file = ModelFile(path=path, sha256=sha256(b"graph"), size_bytes=5)
    wanted = ModelArtifact(key=ModelKey("tiny", 1), digest=sha256(b"d"), files=(file,))
    before = {p for p in root.parent.rglob("*") if p.is_file()}
    with pytest.raises(IntegrityError, match="leaves the model's folder"):
        store.install(wanted)
    assert {p for p in root.parent.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize(
    "digest", ["", "..", "../" * 21 + "x", "A" * 64, "a" * 63, "a" * 65, "/" + "a" * 63]
)
def test_only_digests_are_file_names(store: ModelStore, digest: str) -> None:
    with pytest.raises(IntegrityError, match="64 lower-case hexadecimal"):
        store.append(digest, 0, b"x")
    with pytest.raises(IntegrityError, match="64 lower-case hexadecimal"):
        store.commit(digest)
    with pytest.raises(IntegrityError, match="64 lower-case hexadecimal"):
        store.install(ModelArtifact(key=ModelKey("tiny", 1), digest=digest, files=()))
    with pytest.raises(IntegrityError, match="64 lower-case hexadecimal"):
        store.remove(digest)


def test_a_file_that_was_changed_in_place_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"graph")
    verify(path, sha256(b"graph"))
    path.write_bytes(b"grapf")
    with pytest.raises(IntegrityError, match=r"'model.onnx' was changed") as caught:
        verify(path, sha256(b"graph"))
    assert str(tmp_path) not in caught.value.message


def test_a_restarted_node_can_make_room_again(store: ModelStore, root: Path) -> None:
    put(store, b"1" * 60)
    store.install(artifact({"model.onnx": b"1" * 60}))
    again = ModelStore(root, max_bytes=CAP)
    assert missing(again, put(again, b"2" * 60)) == ()


def test_a_file_without_room_leaves_nothing_on_disk(store: ModelStore, root: Path) -> None:
    with pytest.raises(ModelUnavailableError):
        put(store, bytes(CAP + 1))
    assert [path for path in root.rglob("*") if path.is_file()] == []


def test_a_model_larger_than_the_cap_is_told_so(store: ModelStore) -> None:
    # As the gateway sees it: a refusal that names the cap, not an endless "fetch it again".
    files = sizes(b"1" * 60, b"2" * 60)
    words = r"120 more bytes .* store of 100 bytes; .*raise max_store_bytes"
    with pytest.raises(ModelUnavailableError, match=words):
        store.missing(files)
    # Nor is it taken for smaller once a part of it is here.
    put(store, b"1" * 60)
    with pytest.raises(ModelUnavailableError, match=words):
        store.missing(files)


def test_a_model_as_large_as_the_cap_fits(store: ModelStore) -> None:
    put(store, b"another, of no use")
    files = {"model.onnx": b"1" * 60, "weights.bin": b"2" * (CAP - 60)}
    assert store.missing(sizes(*files.values())) == tuple(map(sha256, files.values()))
    for data in files.values():
        put(store, data)
    folder = store.install(artifact(files))
    assert (folder / "weights.bin").read_bytes() == files["weights.bin"]


def test_one_byte_more_than_the_cap_does_not(store: ModelStore) -> None:
    with pytest.raises(ModelUnavailableError, match="max_store_bytes"):
        store.missing(sizes(b"1" * 60, b"2" * (CAP - 60), b"3"))
