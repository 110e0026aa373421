"""The committed sample models are what their builder writes, and do what their names say."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from local_answers import local_session
from served_models import REPOSITORY, SAMPLES

COUNT = np.arange(32, dtype=np.int32).reshape(2, 16)
ONES = np.ones((2, 16), dtype=np.int32)


def model(root: Path, name: str) -> Path:
    return root / name / "1" / "model.onnx"


def texts(values: np.ndarray) -> np.ndarray:
    return values.astype(str).astype(object)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("built")
    # In a process of its own: imported, it would leave a folder for its bytecode in the
    # repository, which is no model.
    subprocess.run([sys.executable, REPOSITORY / "build.py", "--out", root], check=True, timeout=60)
    return root


@pytest.mark.parametrize("name", SAMPLES)
def test_committed_models_are_what_the_builder_writes(built: Path, name: str) -> None:
    assert model(REPOSITORY, name).read_bytes() == model(built, name).read_bytes()


def test_nothing_else_lies_in_the_repository() -> None:
    assert {entry.name for entry in REPOSITORY.iterdir()} == {"build.py", *SAMPLES}
    for name in SAMPLES:
        assert {entry.name for entry in (REPOSITORY / name).iterdir()} == {"1", "config.pbtxt"}


@pytest.mark.parametrize("name", SAMPLES)
def test_an_old_onnx_runtime_reads_them(name: str) -> None:
    loaded = onnx.load(model(REPOSITORY, name))
    assert loaded.ir_version <= 8
    assert [(o.domain, o.version) for o in loaded.opset_import] == [("", 17)]


def test_simple_adds_and_subtracts() -> None:
    session = local_session(model(REPOSITORY, "simple"))
    total, difference = session.run(["OUTPUT0", "OUTPUT1"], {"INPUT0": COUNT, "INPUT1": ONES})
    np.testing.assert_array_equal(total, COUNT + ONES)
    np.testing.assert_array_equal(difference, COUNT - ONES)


def test_simple_string_adds_and_subtracts_texts() -> None:
    session = local_session(model(REPOSITORY, "simple_string"))
    total, difference = session.run(
        ["OUTPUT0", "OUTPUT1"], {"INPUT0": texts(COUNT), "INPUT1": texts(ONES)}
    )
    np.testing.assert_array_equal(total, texts(COUNT + ONES))
    np.testing.assert_array_equal(difference, texts(COUNT - ONES))


def test_simple_identity_gives_texts_back() -> None:
    words = np.array([["", "two words", "Grüße"]], dtype=object)
    session = local_session(model(REPOSITORY, "simple_identity"))
    [same] = session.run(["OUTPUT0"], {"INPUT0": words})
    np.testing.assert_array_equal(same, words)
