"""The digest of a version: known answers, and what does and does not change it."""

from collections.abc import Callable
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from random import Random

import pytest
import tiny_onnx
from hypothesis import given
from hypothesis import strategies as st

from farm.core.models import ModelFile
from farm.repository.digests import READ_BYTES, canonical_text, stream_digest, version_digest
from farm.repository.listing import ModelListing

Put = Callable[..., Path]
Listed = Callable[..., ModelListing]

# FIPS 180-2, appendix B.1: the digest of the three bytes "abc".
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def digest(listing: ModelListing) -> str:
    (version,) = listing.available
    return version.artifact.digest


def test_a_digest_computed_by_hand(put: Put, listed: Listed) -> None:
    put("digits/1/model.onnx")
    put("digits/1/Weights.bin", b"")
    put("digits/1/data/é.bin", b"abc")
    model = f"{len(tiny_onnx.MODEL)}\t{sha256(tiny_onnx.MODEL).hexdigest()}"
    text = f"Weights.bin\t0\t{EMPTY}\ndata/é.bin\t3\t{ABC}\nmodel.onnx\t{model}\n"
    assert digest(listed()) == sha256(text.encode()).hexdigest()


def test_the_format_has_not_changed() -> None:
    # printf 'model.onnx\t3\t<ABC>\n' | sha256sum
    file = ModelFile(path="model.onnx", sha256=ABC, size_bytes=3)
    assert version_digest([file]) == (
        "1f9a4a04675554d6e4921fb419543f30e87b7df47120d3b95794b12a007dfcd6"
    )


def test_goldens_config_and_hidden_files_do_not_count(put: Put, listed: Listed) -> None:
    put("digits/1/model.onnx")
    before = digest(listed())
    put("digits/1/golden/any/x.npz")
    put("digits/1/.DS_Store")
    put("digits/config.pbtxt", b"max_batch_size: 4")
    assert digest(listed()) == before


def test_model_and_version_names_do_not_count(put: Put, listed: Listed) -> None:
    put("a/1/model.onnx")
    put("b/7/model.onnx")
    assert digest(listed("a")) == digest(listed("b"))


@pytest.mark.parametrize("path", ["model.onnx", "weights.bin", "data/more.bin"])
def test_every_model_file_counts(put: Put, listed: Listed, path: str) -> None:
    put("digits/1/model.onnx")
    put("digits/1/weights.bin")
    before = digest(listed())
    put(f"digits/1/{path}", tiny_onnx.model(tiny_onnx.node(), tiny_onnx.node()))
    assert digest(listed()) != before


FILES = st.lists(
    st.builds(
        ModelFile,
        path=st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=5),
        sha256=st.sampled_from([ABC, EMPTY]),
        size_bytes=st.integers(0, 2**40),
    ),
    unique_by=lambda file: file.path,
)


@given(files=FILES, seed=st.integers(0, 99))
def test_the_order_of_files_does_not_matter(files: list[ModelFile], seed: int) -> None:
    shuffled = list(files)
    Random(seed).shuffle(shuffled)
    assert version_digest(shuffled) == version_digest(files)


@given(files=FILES)
def test_the_text_holds_every_file_and_can_be_read_back(files: list[ModelFile]) -> None:
    lines = [line.split("\t") for line in canonical_text(files).split("\n")[:-1]]
    back = {ModelFile(path=path, size_bytes=int(size), sha256=hexa) for path, size, hexa in lines}
    assert back == set(files)


class CountingReader(BytesIO):
    """A stream that remembers the largest piece that was asked for."""

    largest = 0

    def read(self, size: int | None = -1) -> bytes:
        assert size is not None
        assert size > 0
        self.largest = max(self.largest, size)
        return super().read(size)


def test_a_large_file_is_read_in_pieces() -> None:
    data = bytes(READ_BYTES) + b"tail"
    stream = CountingReader(data)
    assert stream_digest(stream) == (sha256(data).hexdigest(), len(data))
    assert stream.largest == 1 << 20
