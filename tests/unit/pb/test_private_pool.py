"""The farm's messages live beside tritonclient's in one process, and load nothing heavy."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

OURS = "farm.pb.open_inference_pb2"
THEIRS = "tritonclient.grpc"

# Imports the modules in the order given, then sends one request each way through bytes.
CROSSING = """
import importlib, json, sys
for name in sys.argv[1:]:
    importlib.import_module(name)

from google.protobuf.json_format import MessageToDict
from farm.pb.open_inference_pb2 import ModelInferRequest as Ours
from tritonclient.grpc.service_pb2 import ModelInferRequest as Theirs

def crossing(source, target):
    request = source(model_name="digits", id="7", raw_input_contents=[b"\\x01\\x02"])
    request.parameters["priority"].int64_param = 1
    request.parameters["farm_receipt"].bool_param = False
    request.inputs.add(name="x", datatype="UINT8", shape=[1, 2])
    return MessageToDict(target.FromString(request.SerializeToString()))

print(json.dumps({"same class": Ours is Theirs,
                  "to ours": crossing(Theirs, Ours), "to theirs": crossing(Ours, Theirs)}))
"""

REQUEST = {
    "modelName": "digits",
    "id": "7",
    "parameters": {"priority": {"int64Param": "1"}, "farm_receipt": {"boolParam": False}},
    "inputs": [{"name": "x", "datatype": "UINT8", "shape": ["1", "2"]}],
    "rawInputContents": ["AQI="],
}

LOADED = """
import importlib, json, pkgutil, sys
import farm.pb
for module in pkgutil.iter_modules(farm.pb.__path__, "farm.pb."):
    importlib.import_module(module.name)
print(json.dumps(sorted(sys.modules)))
"""


def run(script: str, *arguments: str) -> object:
    """What the script printed as JSON, run by a Python of its own."""
    finished = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout)


@pytest.mark.parametrize("order", [(OURS, THEIRS), (THEIRS, OURS)])
def test_works_beside_tritonclient(order: tuple[str, str]) -> None:
    assert run(CROSSING, *order) == {"same class": False, "to ours": REQUEST, "to theirs": REQUEST}


def test_loads_nothing_heavy() -> None:
    loaded = run(LOADED)
    assert isinstance(loaded, list)
    assert {OURS, "farm.pb.services"} <= set(loaded)
    assert {name.partition(".")[0] for name in loaded}.isdisjoint({"ray", "onnxruntime", "numpy"})
