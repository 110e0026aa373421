"""Warm-ups and labels: what a config names by file."""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from farm.core.models import ModelFile, Warmup, WarmupData, WarmupInput
from farm.core.tensors import Datatype, pack_strings
from farm.repository.labels import MAX_LABEL_BYTES
from farm.repository.listing import AvailableVersion, ModelListing

Put = Callable[..., Path]
Listed = Callable[..., ModelListing]
Configured = Callable[[str], ModelListing]

INPUT = 'input { name: "x" data_type: TYPE_FP32 dims: [ 2, -1 ] }'
OUTPUT = 'output { name: "y" data_type: TYPE_FP32 dims: 2 label_filename: "names.txt" }'


@pytest.fixture
def configured(put: Put, listed: Listed) -> Configured:
    """List a model with a config."""

    def look(config: str) -> ModelListing:
        put("digits/1/model.onnx")
        put("digits/config.pbtxt", config.encode())
        return listed()

    return look


def served(listing: ModelListing) -> AvailableVersion:
    (version,) = listing.available
    return version


def warmup(rest: str, *, batch_size: int = 1, datatype: str = "FP32", dims: str = "2, 3") -> str:
    return (
        f'model_warmup {{ name: "w" batch_size: {batch_size} inputs {{ key: "x" value {{'
        f" data_type: TYPE_{datatype} dims: [ {dims} ] {rest} }} }} }}"
    )


def test_everything_that_is_applied(configured: Configured, put: Put) -> None:
    put("digits/warmup/rows/one.bin", bytes(24))
    text = warmup('input_data_file: "rows/one.bin"', batch_size=3)
    listing = configured(
        f"max_batch_size: 4 {INPUT} {text} {warmup('random_data: true')}"
        f" {warmup('zero_data: true', batch_size=0)}"
    )
    file = ModelFile(
        path="warmup/rows/one.bin", sha256=sha256(bytes(24)).hexdigest(), size_bytes=24
    )
    x = {"name": "x", "datatype": Datatype.FP32, "shape": (2, 3)}
    version = served(listing)
    assert version.artifact.warmups == (
        Warmup(
            name="w",
            batch_size=3,
            count=1,
            inputs=(WarmupInput(**x, data=WarmupData.FILE, file=file),),
        ),
        Warmup(name="w", batch_size=1, count=1, inputs=(WarmupInput(**x, data=WarmupData.RANDOM),)),
    )
    assert file in version.artifact.blobs
    assert listing.warnings == (
        "digits/config.pbtxt: model_warmup[2] has no effect: its batch_size is 0",
    )


def test_without_a_batch_axis_a_warm_up_has_none(configured: Configured) -> None:
    (found,) = served(configured(f"{INPUT} {warmup('zero_data: true')}")).artifact.warmups
    assert found.batch_size == 0


def test_where_the_node_finds_out_the_batch_size_is_as_declared(configured: Configured) -> None:
    (found,) = served(configured(warmup("zero_data: true", batch_size=5))).artifact.warmups
    assert found.batch_size == 5


def test_the_shape_is_the_models_own(configured: Configured) -> None:
    reshaped = INPUT.replace("dims: [ 2, -1 ]", "dims: [ 2, -1 ] reshape { shape: [ 1, 2, -1 ] }")
    for size in ("max_batch_size: 4", ""):
        listing = configured(f"{size} {reshaped} {warmup('zero_data: true')}")
        assert served(listing).artifact.warmups[0].inputs[0].shape == (1, 2, 3)


def test_strings_are_made_up_empty(configured: Configured, put: Put) -> None:
    put("digits/warmup/s.bin", pack_strings([b"a", b"bc"]))
    for data, expected in (
        ("random_data: true", WarmupData.ZERO),
        ('input_data_file: "s.bin"', WarmupData.FILE),
    ):
        listing = configured(warmup(data, datatype="STRING", dims="2"))
        assert served(listing).artifact.warmups[0].inputs[0].data is expected


def test_a_count_is_kept(configured: Configured) -> None:
    text = warmup("zero_data: true").replace("batch_size", "count: 7 batch_size")
    assert served(configured(text)).artifact.warmups[0].count == 7


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (warmup(""), "inputs['x'] says nothing of its data"),
        (warmup("zero_data: true", batch_size=9), "model_warmup[0].batch_size is 9, above"),
        (warmup("zero_data: true", dims="2"), "inputs['x'] is FP32 [2], but the input is FP32"),
        (warmup("zero_data: true", dims="3, 3"), "is FP32 [3, 3], but"),
        (warmup("zero_data: true", datatype="INT8"), "is INT8 [2, 3], but"),
        (warmup("zero_data: true", dims="2, -1"), "dims of 1 or more"),
        (warmup("zero_data: true", datatype="INVALID"), "must have data_type"),
        (warmup("zero_data: true", dims="2, 99999999999"), "is larger than 67108864 bytes"),
        (warmup("zero_data: true").replace('"x"', '"z"'), "inputs lacks x"),
        (
            warmup("zero_data: true").replace(
                "inputs", 'inputs { key: "z" value { data_type: TYPE_FP32 } } inputs', 1
            ),
            "inputs['z'] is no input of the model; declared are x",
        ),
        ('model_warmup { name: "w" batch_size: 1 }', "model_warmup[0].inputs lacks"),
        (
            warmup("zero_data: true").replace("batch_size", "count: 4000000000 batch_size"),
            "model_warmup[0].count is 4000000000",
        ),
        (warmup('input_data_file: "gone.bin"'), "there is no file digits/warmup/gone.bin"),
        (warmup('input_data_file: "../../x"'), "cannot be a file's name"),
        (warmup('input_data_file: "short.bin"'), "has 23 bytes, but FP32"),
        (warmup('input_data_file: "link.bin"'), "link.bin is a symbolic link"),
        (warmup('input_data_file: "hard.bin"'), "hard.bin has 2 hard links"),
    ],
)
def test_what_cannot_be_run_refuses_the_model(
    configured: Configured, put: Put, tmp_path: Path, text: str, part: str
) -> None:
    put("digits/warmup/short.bin", bytes(23))
    outside = tmp_path / "outside"
    outside.write_bytes(bytes(24))
    (tmp_path / "models/digits/warmup/link.bin").symlink_to(outside)
    (tmp_path / "models/digits/warmup/hard.bin").hardlink_to(outside)
    listing = configured(f"max_batch_size: 4 {INPUT} {text}")
    assert listing.available == ()
    assert part in listing.refusal
    assert str(tmp_path) not in listing.refusal


@pytest.mark.parametrize("data", [b"", pack_strings([b"a"]), b"\xff\xff\xff\xff"])
def test_a_file_of_other_strings_refuses_the_model(
    configured: Configured, put: Put, data: bytes
) -> None:
    put("digits/warmup/s.bin", data)
    listing = configured(warmup('input_data_file: "s.bin"', datatype="STRING", dims="2"))
    assert "digits/warmup/s.bin does not hold 2 strings" in listing.refusal


def test_labels_are_read_line_by_line(configured: Configured, put: Put) -> None:
    put("digits/names.txt", "\ufeffzéro\r\none two\n\n three\u2028\n".encode())
    settings = served(configured(OUTPUT)).settings
    assert settings.labels == {"y": ("zéro", "one two", "", " three\u2028")}
    assert settings.warnings == ()


def test_the_last_label_needs_no_line_feed(configured: Configured, put: Put) -> None:
    put("digits/names.txt", b"a\nb")
    assert served(configured(OUTPUT)).settings.labels["y"] == ("a", "b")


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (None, "output[0].label_filename is 'names.txt', but there is no file digits/names.txt"),
        (b"\xff", "digits/names.txt is not UTF-8"),
        (b"x" * (MAX_LABEL_BYTES + 1), "digits/names.txt is larger than 1048576 bytes"),
    ],
)
def test_labels_that_cannot_be_read_refuse_the_model(
    configured: Configured, put: Put, data: bytes | None, part: str
) -> None:
    if data is not None:
        put("digits/names.txt", data)
    assert part in configured(OUTPUT).refusal


def test_labels_outside_the_repository_are_not_read(
    repo: Path, configured: Configured, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("secret")
    (repo / "digits").mkdir()
    (repo / "digits/names.txt").symlink_to(tmp_path / "secret")
    assert "digits/names.txt is a symbolic link" in configured(OUTPUT).refusal
    text = OUTPUT.replace("names.txt", "../../secret")
    assert "cannot be a file's name" in configured(text).refusal
