"""Which models and versions a look at a repository finds."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny_onnx

from farm.core.errors import ConfigurationError
from farm.core.models import ModelKey
from farm.repository.listing import ModelListing
from farm.repository.repository import Repository

Put = Callable[..., Path]
Listed = Callable[..., ModelListing]
Open = Callable[..., Repository]


def served(*listings: ModelListing) -> list[str]:
    return [str(version.artifact.key) for model in listings for version in model.available]


def reason(listing: ModelListing) -> str:
    """The reason of the one refusal, be it of the model or of a version."""
    (found,) = filter(None, [listing.refusal, *(refused.reason for refused in listing.refused)])
    return found


def test_a_good_repository(repository: Open, put: Put) -> None:
    put("digits/1/model.onnx")
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

    listings = repository().scan()

    assert [listing.name for listing in listings] == ["digits", "other"]
    assert served(*listings) == ["digits:1", "other:3"]
    digits = listings[0].available[0].artifact
    assert [(file.path, file.size_bytes) for file in digits.files] == [
        ("model.onnx", len(tiny_onnx.MODEL)),
        ("weights/layer.bin", 0),
    ]
    assert [(file.path, file.size_bytes) for file in digits.goldens] == [
        ("golden/any/b.npz", 2),
        ("golden/cortex-a72/a.npz", 1),
    ]
    assert digits.max_batch_size == 16
    assert digits.main == "model.onnx"
    assert not any(
        each.refusal or each.refused or each.excluded or each.warnings for each in listings
    )


def test_the_shipped_models_are_all_served(tmp_path: Path) -> None:
    from farm.zoo import models_dir

    # Copied, for installers may hard-link the shipped ones, and links are refused.
    root = Path(shutil.copytree(models_dir(), tmp_path / "zoo"))
    listings = Repository(root, state_dir=None, scratch_dir=tmp_path / "scratch").scan()

    assert [each.name for each in listings] == sorted(path.name for path in root.iterdir())
    assert listings
    assert all(each.available and not each.refused and not each.warnings for each in listings)
    for version in (version for listing in listings for version in listing.available):
        assert version.artifact.goldens
        assert version.header.operators > 0
        assert version.header.opsets
        assert version.abi == f"{version.artifact.key.version}.0"


def test_without_a_config_the_node_decides_about_batching(put: Put, listed: Listed) -> None:
    put("digits/1/model.onnx")
    (version,) = listed().available
    assert version.artifact.max_batch_size is None
    assert version.settings.config == b""


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
    put: Put, listed: Listed, policy: str | None, expected: list[int], excluded: list[int]
) -> None:
    for version in (1, 2, 10):
        put(f"digits/{version}/model.onnx")
    if policy is not None:
        put("digits/config.pbtxt", policy.encode())

    listing = listed()

    assert served(listing) == [f"digits:{version}" for version in expected]
    assert list(listing.excluded) == [ModelKey("digits", version) for version in excluded]


def test_a_version_that_the_policy_names_and_nobody_added(put: Put, listed: Listed) -> None:
    put("digits/1/model.onnx")
    put("digits/config.pbtxt", b"version_policy { specific { versions: [1, 4] } }")
    listing = listed()
    assert served(listing) == ["digits:1"]
    assert listing.refused[0].key == ModelKey("digits", 4)
    assert "there is no folder digits/4" in reason(listing)


def test_a_broken_latest_version_is_not_replaced_by_an_older_one(
    repo: Path, put: Put, listed: Listed
) -> None:
    put("digits/1/model.onnx")
    (repo / "digits/2").mkdir()
    listing = listed()
    assert served(listing) == []
    assert [refused.key.version for refused in listing.refused] == [2]
    assert listing.excluded == (ModelKey("digits", 1),)
    assert listing.refusal == ""


def test_folders_that_are_no_version_are_ignored(put: Put, listed: Listed) -> None:
    put("digits/1/model.onnx")
    for folder in ("latest", "v2", "-3", "+4", "5.0", "٦", "1 ", "warmup"):
        put(f"digits/{folder}/model.onnx")
    put("digits/7", b"a file")
    listing = listed()
    assert served(listing) == ["digits:1"]
    assert listing.warnings == ()


@pytest.mark.parametrize("folder", ["0", "02", str(2**63)])
def test_a_number_that_is_no_version_is_ignored_with_a_warning(
    put: Put, listed: Listed, folder: str
) -> None:
    put("digits/1/model.onnx")
    put(f"digits/{folder}/model.onnx")
    listing = listed()
    assert served(listing) == ["digits:1"]
    assert f"digits/{folder} is ignored" in listing.warnings[0]


def test_a_model_without_versions_says_what_was_found(repo: Path, put: Put, listed: Listed) -> None:
    (repo / "empty").mkdir()
    put("named/v1/model.onnx")
    assert "folders found: none" in listed("empty").refusal
    assert "folders found: v1" in listed("named").refusal
    assert "named/1/model.onnx" in listed("named").refusal


def test_an_empty_repository_is_no_error(repository: Open) -> None:
    assert repository().scan() == ()


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.write_text("")])
def test_a_missing_repository_says_what_to_do(
    tmp_path: Path, make: Callable[[Path], object]
) -> None:
    make(tmp_path / "shelf")
    repository = Repository(tmp_path / "shelf", state_dir=None, scratch_dir=tmp_path)
    with pytest.raises(ConfigurationError, match=r"'shelf'.*--models") as caught:
        repository.scan()
    assert str(tmp_path) not in caught.value.message


def test_a_refused_model_leaves_the_others_alone(repository: Open, put: Put) -> None:
    put("broken/1/model.onnx")
    put("broken/config.pbtxt", b"max_batch_size: many")
    put("good/1/model.onnx")
    broken, good = repository().scan()
    assert served(good) == ["good:1"]
    assert broken == ModelListing(name="broken", refusal=broken.refusal)
    assert "broken/config.pbtxt, line 1, column 17" in broken.refusal


def test_warnings_of_a_config_are_the_models(put: Put, listed: Listed) -> None:
    put("digits/1/model.onnx")
    put("digits/007/model.onnx")
    put("digits/config.pbtxt", b"optimization { eager_batching: true }")
    first, second = listed().warnings
    assert first.startswith("digits/007 is ignored")
    assert second.startswith("digits/config.pbtxt: optimization has no effect")


@pytest.mark.parametrize(
    "name", [b"two\nlines", b"caf\xe9", b"\xe2\x80\xaertl", b" padded", b"a\\b"]
)
def test_an_unsafe_name_is_refused_and_shown_escaped(
    repository: Open, put: Put, name: bytes
) -> None:
    folder = os.fsdecode(name)
    put(f"{folder}/1/model.onnx")
    (listing,) = repository().scan()
    assert served(listing) == []
    assert listing.name.isprintable()
    assert "rename the folder" in reason(listing)
    assert reason(listing).isprintable()


def test_a_long_name_is_refused_with_its_bound(put: Put, listed: Listed) -> None:
    put(f"{'x' * 128}/1/model.onnx")
    put(f"{'y' * 129}/1/model.onnx")
    assert served(listed("x" * 128)) == [f"{'x' * 128}:1"]
    assert "129 characters, and 128 are allowed" in listed("y" * 129).refusal


def test_no_message_names_a_place_outside_the_repository(
    repo: Path, put: Put, repository: Open
) -> None:
    put("a/1/readme.txt")
    put("b/config.pbtxt", b"nonsense")
    (repo / "c").symlink_to(repo.parent)
    (repo / "loop").symlink_to(repo / "loop")
    opened = repository()
    listings = opened.scan()
    assert [bool(reason(listing)) for listing in listings] == [True, True, True]
    assert str(repo.parent) not in repr(listings)
    assert str(repo.parent) not in repr(opened)


def test_a_version_larger_than_allowed_names_the_setting(put: Put, listed: Listed) -> None:
    put("digits/1/model.onnx")
    put("digits/1/weights.bin", bytes(1000))
    size = len(tiny_onnx.MODEL) + 1000
    assert served(listed(max_model_bytes=size)) == ["digits:1"]
    refusal = reason(listed(max_model_bytes=size - 1))
    assert f"digits/1 has {size} bytes" in refusal
    assert "repository.max_model_bytes" in refusal


def test_a_model_with_more_operators_than_allowed_names_the_setting(
    put: Put, listed: Listed
) -> None:
    put("digits/1/model.onnx", tiny_onnx.model(*[tiny_onnx.node()] * 3))
    assert listed(max_operators=3).available[0].header.operators == 3
    assert "repository.max_operators" in reason(listed(max_operators=2))


def test_more_files_than_a_version_may_have(put: Put, listed: Listed) -> None:
    put("digits/1/model.onnx")
    put("digits/1/weights.bin")
    assert served(listed(max_files=2)) == ["digits:1"]
    assert "digits/1 has more than 1 files" in reason(listed(max_files=1))


def test_more_versions_than_a_model_may_serve(put: Put, listed: Listed) -> None:
    for version in (1, 2, 3):
        put(f"digits/{version}/model.onnx")
    assert served(listed(max_versions=1)) == ["digits:3"]
    put("digits/config.pbtxt", b"version_policy { all {} }")
    assert served(listed(max_versions=3)) == ["digits:1", "digits:2", "digits:3"]
    refusal = listed(max_versions=2).refusal
    assert "digits has 3 versions to be served, and 2 are allowed" in refusal


def test_more_models_than_allowed_are_refused_by_name(repository: Open, put: Put) -> None:
    for name in "abc":
        put(f"{name}/1/model.onnx")
    opened = repository(max_models=2)
    listings = opened.scan()
    assert served(*listings) == ["a:1", "b:1"]
    assert "repository.max_models" in listings[2].refusal


@pytest.mark.parametrize(
    ("config", "metadata", "abi"),
    [
        ("", {}, "3.0"),
        ("", {"farm.abi": "2.7"}, "2.7"),
        ("farm.abi=5", {"farm.abi": "2.7"}, "5.0"),
        ("farm.abi=5 farm.abi.3=1.4", {}, "1.4"),
        ("farm.abi=5 farm.abi.2=1.4", {}, "5.0"),
    ],
)
def test_the_abi_of_a_version(
    put: Put, listed: Listed, config: str, metadata: dict[str, str], abi: str
) -> None:
    put("digits/3/model.onnx", tiny_onnx.model(metadata=metadata))
    pairs = [pair.split("=") for pair in config.split()]
    lines = [f'parameters {{ key: "{k}" value {{ string_value: "{v}" }} }}' for k, v in pairs]
    put("digits/config.pbtxt", "\n".join(lines).encode())
    assert listed().available[0].abi == abi


def test_a_file_that_declares_no_real_abi_is_refused(put: Put, listed: Listed) -> None:
    put("digits/1/model.onnx", tiny_onnx.model(metadata={"farm.abi": "v2"}))
    assert "digits/1/model.onnx: its metadata 'farm.abi' is 'v2'" in reason(listed())


def test_another_file_may_be_the_model(put: Put, listed: Listed) -> None:
    put("digits/1/net/it.onnx")
    put("digits/config.pbtxt", b'default_model_filename: "net/it.onnx"')
    assert listed().available[0].artifact.main == "net/it.onnx"
    put("digits/config.pbtxt", b'default_model_filename: "gone.onnx"')
    assert "digits/1 has no file gone.onnx" in reason(listed())
