"""Looking again: what changed, what a load puts in a model's place, what is forgotten."""

import os
import threading
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from tiny_onnx import MODEL, model, node

from farm.core.errors import (
    IntegrityError,
    InvalidRequestError,
    LoadFailedError,
    ModelNotFoundError,
)
from farm.core.pool import BlobSource
from farm.repository import file_facts
from farm.repository.listing import ModelListing
from farm.repository.repository import ModelOverride, Repository, Wish

Put = Callable[..., Path]
Open = Callable[..., Repository]

OTHER = model(node(), node())
FILES = {"1/model.onnx": OTHER, "1/data/w.bin": b"weights"}


def served(listing: ModelListing) -> list[int]:
    return [version.artifact.key.version for version in listing.available]


def read(repository: Repository, data: bytes) -> bytes:
    source: BlobSource = repository
    return b"".join(source.chunks(sha256(data).hexdigest(), 10))


def stored(tmp_path: Path) -> list[str]:
    folder = tmp_path / "state/overrides"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_one_model_is_listed_as_all_are(repository: Open, put: Put) -> None:
    put("digits/1/model.onnx")
    opened = repository()
    assert opened.scan() == (opened.scan_model("digits"),)
    assert read(opened, MODEL) == MODEL
    assert repr(opened) == "<Repository 1 models, <RepositoryBlobs 1 digests>>"


@pytest.mark.parametrize(
    "name", ["gone", "", ".", "..", "../models", ".git", "digits/1", "a\0b", "x" * 5000, "\ud800"]
)
def test_a_model_that_is_not_there(repository: Open, put: Put, name: str) -> None:
    put("digits/1/model.onnx")
    put(".git/1/model.onnx")
    with pytest.raises(ModelNotFoundError) as caught:
        repository().scan_model(name)
    assert caught.value.message.isprintable()
    caught.value.message.encode()


def test_files_that_did_not_change_are_not_read_again(
    repository: Open, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("digits/1/model.onnx")
    put("digits/1/w.bin", b"old")
    opened = repository()
    first = opened.scan()
    hashed: list[int] = []

    def watched(stream: object) -> tuple[str, int]:
        hashed.append(1)
        return really(stream)  # type: ignore[arg-type]

    really = file_facts.stream_digest
    monkeypatch.setattr(file_facts, "stream_digest", watched)
    assert opened.scan() == first
    assert hashed == []
    path = put("digits/1/w.bin", b"new")
    os.utime(path, ns=(0, 0))
    (second,) = opened.scan()
    assert hashed == [1]
    assert second.available[0].artifact.digest != first[0].available[0].artifact.digest


def test_nothing_has_changed_right_after_a_look(repository: Open, put: Put) -> None:
    put("digits/1/model.onnx")
    put("broken/nothing.txt")
    opened = repository()
    assert opened.changed() == {"digits", "broken"}
    opened.scan()
    assert opened.changed() == frozenset()


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (lambda repo: (repo / "a/1/model.onnx").write_bytes(OTHER), {"a"}),
        (lambda repo: (repo / "a/1/model.onnx").touch(), {"a"}),
        (lambda repo: (repo / "a/config.pbtxt").touch(), {"a"}),
        (lambda repo: (repo / "a/1/golden").mkdir(), {"a"}),
        (lambda repo: (repo / "a").rename(repo / "z"), {"a", "z"}),
        (lambda repo: (repo / "new").mkdir(), {"new"}),
        (lambda repo: (repo / "a/1/model.onnx").unlink(), {"a"}),
        (lambda repo: (repo / "link").symlink_to("a"), {"link"}),
        (lambda repo: (repo / "a/.hidden").touch(), set()),
        (lambda repo: (repo / ".git").mkdir(), set()),
        (lambda repo: (repo / "README.md").touch(), set()),
    ],
)
def test_changes_are_noticed_until_they_are_looked_at(
    repo: Path, repository: Open, put: Put, change: Callable[[Path], object], names: set[str]
) -> None:
    for name in ("a", "b"):
        put(f"{name}/1/model.onnx")
        os.utime(repo / name / "1/model.onnx", ns=(0, 0))
    opened = repository()
    opened.scan()
    change(repo)
    assert opened.changed() == opened.changed() == names
    for name in names:
        if (repo / name).exists():
            opened.scan_model(name)
        else:
            with pytest.raises(ModelNotFoundError):
                opened.scan_model(name)
    assert opened.changed() == frozenset()


def test_a_config_takes_the_place_of_the_repositorys(repository: Open, put: Put) -> None:
    for version in (1, 2):
        put(f"digits/{version}/model.onnx")
    put("digits/config.pbtxt", b"max_batch_size: 4")
    config = '{"versionPolicy": {"all": {}}, "max_batch_size": 9}'
    opened = repository()
    listing = opened.scan_model("digits", ModelOverride(config=config))
    assert served(listing) == [1, 2]
    assert listing.available[0].artifact.max_batch_size == 9
    assert opened.scan_model("digits").available[0].artifact.max_batch_size == 4


def test_files_make_a_model_that_the_repository_does_not_have(
    repository: Open, tmp_path: Path
) -> None:
    opened = repository()
    listing = opened.scan_model("fresh", ModelOverride(config="{}", files=FILES))
    assert served(listing) == [1]
    assert [file.path for file in listing.available[0].artifact.files] == [
        "data/w.bin",
        "model.onnx",
    ]
    assert listing.available[0].header.operators == 2
    assert read(opened, OTHER) == OTHER
    assert len(stored(tmp_path)) == 1
    assert opened.changed() == frozenset()


def test_files_take_the_place_of_all_of_the_repositorys(repository: Open, put: Put) -> None:
    put("digits/2/model.onnx")
    put("digits/1/w.bin")
    listing = repository().scan_model("digits", ModelOverride(config="{}", files=FILES))
    assert served(listing) == [1]
    assert [file.path for file in listing.available[0].artifact.files] == [
        "data/w.bin",
        "model.onnx",
    ]


@pytest.mark.parametrize(
    ("override", "part"),
    [
        (ModelOverride(files=FILES), "brings files without a config"),
        (ModelOverride(config="{", files=FILES), "the config that 'm' is loaded with: "),
        (ModelOverride(config='{"maxbatch": 1}'), 'no field named "maxbatch"'),
        (ModelOverride(config="{}", files=dict.fromkeys(map(str, range(1001)), b"")), "1001 files"),
        *(
            (ModelOverride(config="{}", files={path: b""}), "cannot be a file of a model")
            for path in (
                "",
                "model.onnx",
                "1",
                "1/",
                "/1/model.onnx",
                "01/model.onnx",
                "v1/model.onnx",
                "1/../2/model.onnx",
                "../1/model.onnx",
                "1/./model.onnx",
                "1//model.onnx",
                "1/.hidden",
                "1/a\\b",
                "1/a\nb",
                "1/a\0b",
                "1/\ud800",
                "1/" + "x" * 256,
                "1/" + "x/" * 300 + "x",
            )
        ),
    ],
)
def test_a_malformed_override_is_the_callers_mistake(
    repository: Open, put: Put, tmp_path: Path, override: ModelOverride, part: str
) -> None:
    put("m/1/model.onnx")
    with pytest.raises(InvalidRequestError) as caught:
        repository().scan_model("m", override)
    assert part in caught.value.message
    assert caught.value.message.isprintable()
    assert stored(tmp_path) == []


@pytest.mark.parametrize("name", ["../m", "", ".m", "a/b", " m", "m\n", "ä" * 128, "x" * 129])
def test_files_for_a_name_that_cannot_be_a_models(
    repository: Open, tmp_path: Path, name: str
) -> None:
    with pytest.raises(InvalidRequestError, match="cannot be the name of a model"):
        repository().scan_model(name, ModelOverride(config="{}", files=FILES))
    assert stored(tmp_path) == []


def test_a_config_alone_makes_no_model(repository: Open) -> None:
    with pytest.raises(ModelNotFoundError):
        repository().scan_model("gone", ModelOverride(config="{}"))


def test_files_that_are_no_model_are_refused_like_any(repository: Open) -> None:
    opened = repository()
    listing = opened.scan_model("m", ModelOverride(config="{}", files={"1/model.onnx": b"?"}))
    assert "m/1/model.onnx is not a readable ONNX model" in listing.refused[0].reason
    listing = opened.scan_model("m", ModelOverride(config='{"backend": "python"}', files=FILES))
    assert listing.refusal.startswith("the config that 'm' is loaded with: backend is 'python'")


def test_replaced_files_are_deleted_once_nothing_needs_them(
    repository: Open, tmp_path: Path
) -> None:
    opened = repository()
    old, new = (
        opened.scan_model("m", ModelOverride(config="{}", files={"1/model.onnx": data}))
        for data in (MODEL, OTHER)
    )
    assert len(stored(tmp_path)) == 2
    opened.forget("m", [old.available[0].artifact, new.available[0].artifact])
    opened.forget("other")
    assert read(opened, MODEL) == MODEL
    opened.forget("m", [new.available[0].artifact])
    assert len(stored(tmp_path)) == 1
    with pytest.raises(IntegrityError):
        read(opened, MODEL)
    assert read(opened, OTHER) == OTHER
    opened.forget("m")
    assert stored(tmp_path) == []


def test_files_of_a_load_that_failed_are_deleted(repository: Open, tmp_path: Path) -> None:
    opened = repository()
    opened.scan_model("m", ModelOverride(config="{}", files={"1/model.onnx": b"?"}))
    assert len(stored(tmp_path)) == 1
    opened.forget("m")
    assert stored(tmp_path) == []


def test_files_that_a_wish_names_are_not_deleted(repository: Open, tmp_path: Path) -> None:
    opened = repository()
    override = ModelOverride(config="{}", files=FILES)
    opened.scan_model("m", override)
    opened.record("m", Wish(loaded=True, override=override))
    opened.forget("m")
    assert len(stored(tmp_path)) == 1
    opened.record("m", Wish(loaded=False))
    opened.forget("m")
    assert stored(tmp_path) == []


def test_a_full_disk_is_said_in_words(
    repository: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = repository()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LoadFailedError, match="No space left on device"):
        opened.scan_model("m", ModelOverride(config="{}", files=FILES))
    monkeypatch.undo()
    assert stored(tmp_path) == []
    assert served(opened.scan_model("m", ModelOverride(config="{}", files=FILES))) == [1]


def test_loads_count_as_models(repository: Open, put: Put) -> None:
    put("a/1/model.onnx")
    opened = repository(max_models=2)
    opened.scan()
    override = ModelOverride(config="{}", files=FILES)
    assert served(opened.scan_model("b", override)) == [1]
    assert "repository.max_models" in opened.scan_model("c", override).refusal
    put("d/1/model.onnx")
    assert "repository.max_models" in opened.scan_model("d").refusal
    assert served(opened.scan_model("a")) == [1]


def test_bytes_are_handed_out_while_a_look_takes_long(
    repository: Open, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("a/1/model.onnx")
    opened = repository()
    opened.scan()
    put("b/1/model.onnx", OTHER)
    begun, go_on = threading.Event(), threading.Event()

    def slow(stream: object) -> tuple[str, int]:
        begun.set()
        assert go_on.wait(10)
        return really(stream)  # type: ignore[arg-type]

    really = file_facts.stream_digest
    monkeypatch.setattr(file_facts, "stream_digest", slow)
    thread = threading.Thread(target=opened.scan)
    thread.start()
    try:
        assert begun.wait(10)
        assert read(opened, MODEL) == MODEL
        opened.record("a", Wish(loaded=False))
        opened.forget("a", ())
    finally:
        go_on.set()
        thread.join(10)
    assert read(opened, OTHER) == OTHER
