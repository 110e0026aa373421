"""The trial of ONNX Runtime on a machine."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx_models
import onnxruntime
import pytest

from farm.core.errors import ModelUnavailableError
from farm.node.trial import try_models


def test_what_works_is_told_by_version() -> None:
    ended = subprocess.run(
        [sys.executable, "-I", "-m", "farm.node.trial"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(ended.stdout) == {"onnxruntime": onnxruntime.__version__, "error": ""}


def test_other_answers_than_the_goldens_are_an_error(tmp_path: Path) -> None:
    version = tmp_path / "doubles" / "1"
    goldens = version / "golden" / "any"
    goldens.mkdir(parents=True)
    onnx_models.write(version, onnx_models.doubles()).rename(version / "model.onnx")
    ones = np.ones((2, 3), np.float32)
    arrays = {"input:x": ones, "output:y": ones * 3, "rtol": 1e-3, "atol": 1e-6}
    np.savez(goldens / "thrice.npz", **arrays)
    with pytest.raises(ModelUnavailableError, match="thrice"):
        try_models(tmp_path)
