"""The package needs neither the runtime nor numpy."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

LOADED = """
import importlib, json, pkgutil, sys
import farm.repository
for module in pkgutil.iter_modules(farm.repository.__path__, "farm.repository."):
    importlib.import_module(module.name)
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def test_loads_nothing_heavy() -> None:
    finished = subprocess.run(
        [sys.executable, "-c", LOADED],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    loaded = set(json.loads(finished.stdout))
    assert "farm" in loaded
    assert loaded.isdisjoint({"numpy", "onnx", "onnxruntime", "grpc", "ray", "pydantic"})
