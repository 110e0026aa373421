"""Which models and versions a look at a repository finds."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from farm.core.errors import ConfigurationError
from farm.core.models import ModelKey
from farm.repository.layout import scan
from farm.repository.listing import RefusedModel, RefusedVersion, RepositoryListing

Put = Callable[..., Path]


def served(listing: RepositoryListing) -> list[str]:
    return [str(version.artifact.key) for version in listing.available]


def reason(listing: RepositoryListing) -> str:
    """The reason of the one refusal, be it of a model or a version."""
    refused: list[RefusedModel | RefusedVersion] = [
        *listing.refused_models,
        *listing.refused_versions,
    ]
    assert len(refused) == 1
    return refused[0].reason


def test_a_good_repository(repo: Path, put: Put) -> None:
    put("digits/1/model.onnx", b"abc")
    put("digits/1/weights/layer.bin", b"")
    put("digits/1/golden/any/b.npz", b"12")
    put("digits/1/golden/cortex-a72/a.npz", b"1")
    put("digits/1/golden/readme.txt")
    put("digits/1/golden/stray.npz")
    put("digits/1/golden/any/notes.txt")
    put("digits/1/golden/any/deep/er.npz")
    put("digits/config.pbtxt", b"max_batch_size: 16")
    put("other/3/model.onnx")
    put("README.md")
    put(".git/1/model.onnx")

    listing = scan(repo)

    assert served(listing) == ["digits:1", "other:3"]
    digits = listing.available[0].artifact
    assert [(file.path, file.size_bytes) for file in digits.files] == [
        ("model.onnx", 3),
        ("weights/layer.bin", 0),
    ]
    assert [(file.path, file.size_bytes) for file in digits.goldens] == [
        ("golden/any/b.npz", 2),
        ("golden/cortex-a72/a.npz", 1),
    ]
    assert digits.max_batch_size == 16
    assert not listing.refused_models
    assert not listing.refused_versions
    assert not listing.excluded
    assert not listing.warnings


def test_the_shipped_models_are_all_served() -> None:
    from farm.zoo import models_dir

    listing = scan(models_dir())

    folders = sorted(folder.name for folder in models_dir().iterdir())
    assert folders
    assert [version.artifact.key.name for version in listing.available] == folders
    assert all(version.artifact.goldens for version in listing.available)
    assert not listing.refused_models
    assert not listing.refused_versions
    assert not listing.warnings


def test_without_a_config_the_node_decides_about_batching(repo: Path, put: Put) -> None:
    put("digits/1/model.onnx")
    assert scan(repo).available[0].artifact.max_batch_size is None


def test_a_config_without_max_batch_size_means_no_batching(repo: Path, put: Put) -> None:
    put("digits/1/model.onnx")
    put("digits/config.pbtxt", b"")
    assert scan(repo).available[0].artifact.max_batch_size == 0


@pytest.mark.parametrize(
    ("policy", "expected", "excluded"),
    [
        (None, [10], [1, 2]),
        ("", [10], [1, 2]),
        ("version_policy { latest { num_versions: 1 } }", [10], [1, 2]),
        ("version_policy { latest { num_versions: 2 } }", [2, 10], [1]),
        ("version_policy { latest { num_versions: 9 } }", [1, 2, 10], []),
        ("version_policy { all {} }", [1, 2, 10], []),
        ("version_policy {}", [1, 2, 10], []),
        ("version_policy { specific { versions: [2, 1, 2] } }", [1, 2], [10]),
    ],
)
def test_version_policies(
    repo: Path, put: Put, policy: str | None, expected: list[int], excluded: list[int]
) -> None:
    for version in (1, 2, 10):
        put(f"digits/{version}/model.onnx")
    if policy is not None:
        put("digits/config.pbtxt", policy.encode())

    listing = scan(repo)

    assert served(listing) == [f"digits:{version}" for version in expected]
    assert list(listing.excluded) == [ModelKey("digits", version) for version in excluded]


def test_a_version_that_the_policy_names_and_nobody_added(repo: Path, put: Put) -> None:
    put("digits/1/model.onnx")
    put("digits/config.pbtxt", b"version_policy { specific { versions: [1, 4] } }")
    listing = scan(repo)
    assert served(listing) == ["digits:1"]
    assert listing.refused_versions[0].key == ModelKey("digits", 4)
    assert "there is no folder digits/4" in reason(listing)


def test_a_broken_latest_version_is_not_replaced_by_an_older_one(repo: Path, put: Put) -> None:
    put("digits/1/model.onnx")
    (repo / "digits/2").mkdir()
    listing = scan(repo)
    assert served(listing) == []
    assert [refused.key.version for refused in listing.refused_versions] == [2]
    assert listing.excluded == (ModelKey("digits", 1),)
    assert listing.refused_models == ()


def test_folders_that_are_no_version_are_ignored(repo: Path, put: Put) -> None:
    put("digits/1/model.onnx")
    for folder in ("latest", "v2", "-3", "+4", "5.0", "٦", "1 ", "warmup"):
        put(f"digits/{folder}/model.onnx")
    put("digits/7", b"a file")
    listing = scan(repo)
    assert served(listing) == ["digits:1"]
    assert listing.warnings == ()


@pytest.mark.parametrize("folder", ["0", "02", str(2**63)])
def test_a_number_that_is_no_version_is_ignored_with_a_warning(
    repo: Path, put: Put, folder: str
) -> None:
    put("digits/1/model.onnx")
    put(f"digits/{folder}/model.onnx")
    listing = scan(repo)
    assert served(listing) == ["digits:1"]
    assert f"digits/{folder} is ignored" in listing.warnings[0]


def test_a_model_without_versions_says_what_was_found(repo: Path, put: Put) -> None:
    (repo / "empty").mkdir()
    put("named/v1/model.onnx")
    listing = scan(repo)
    assert [refused.name for refused in listing.refused_models] == ["empty", "named"]
    empty, named = (refused.reason for refused in listing.refused_models)
    assert "folders found: none" in empty
    assert "folders found: v1" in named
    assert "named/1/model.onnx" in named


def test_an_empty_repository_is_no_error(repo: Path) -> None:
    assert scan(repo) == RepositoryListing(root=repo)


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.write_text("")])
def test_a_missing_repository_says_what_to_do(
    tmp_path: Path, make: Callable[[Path], object]
) -> None:
    make(tmp_path / "shelf")
    with pytest.raises(ConfigurationError, match=r"'shelf'.*--models") as caught:
        scan(tmp_path / "shelf")
    assert str(tmp_path) not in caught.value.message


def test_a_refused_model_leaves_the_others_alone(repo: Path, put: Put) -> None:
    put("broken/1/model.onnx")
    put("broken/config.pbtxt", b"max_batch_size: many")
    put("good/1/model.onnx")
    listing = scan(repo)
    assert served(listing) == ["good:1"]
    assert listing.refused_models == (RefusedModel(name="broken", reason=reason(listing)),)
    assert "broken/config.pbtxt, line 1, column 17" in reason(listing)


def test_warnings_of_configs_are_collected(repo: Path, put: Put) -> None:
    for name in ("b", "a"):
        put(f"{name}/1/model.onnx")
        put(f"{name}/config.pbtxt", b"instance_group [{ count: 2 }]")
    first, second = scan(repo).warnings
    assert first.startswith("a/config.pbtxt: instance_group has no effect")
    assert second.startswith("b/config.pbtxt: instance_group has no effect")


@pytest.mark.parametrize(
    "name", [b"two\nlines", b"caf\xe9", b"\xe2\x80\xaertl", b" padded", b"a\\b"]
)
def test_an_unsafe_name_is_refused_and_shown_escaped(repo: Path, put: Put, name: bytes) -> None:
    folder = os.fsdecode(name)
    put(f"{folder}/1/model.onnx")
    listing = scan(repo)
    assert served(listing) == []
    assert listing.refused_models[0].name.isprintable()
    assert "rename the folder" in reason(listing)
    assert reason(listing).isprintable()


def test_a_long_name_is_refused_with_its_bound(repo: Path, put: Put) -> None:
    put(f"{'x' * 128}/1/model.onnx")
    put(f"{'y' * 129}/1/model.onnx")
    listing = scan(repo)
    assert served(listing) == [f"{'x' * 128}:1"]
    assert "129 characters, and 128 are allowed" in reason(listing)


def test_no_message_names_a_place_outside_the_repository(repo: Path, put: Put) -> None:
    put("a/1/readme.txt")
    put("b/config.pbtxt", b"nonsense")
    (repo / "c").symlink_to(repo.parent)
    listing = scan(repo)
    assert len(listing.refused_versions) == 1
    assert len(listing.refused_models) == 2
    assert str(repo.parent) not in repr(listing)
