"""Sessions: what a model may be, and how its failures are told apart."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_models
import onnx_tensors
import pytest

from farm.core.errors import ErrorCode, FarmError, ModelUnavailableError
from farm.core.tensors import Datatype, TensorSpec
from farm.node.sessions import Session


def opened(folder: Path, data: bytes) -> Session:
    return Session(onnx_models.write(folder, data), threads=1)


def test_a_session_knows_its_tensors(tmp_path: Path) -> None:
    session = opened(tmp_path, onnx_models.lookup())
    assert session.inputs == (TensorSpec(name="x", datatype=Datatype.INT64, shape=(-1,)),)
    assert session.outputs == (TensorSpec(name="y", datatype=Datatype.FP32, shape=(-1,)),)
    assert session.output_names == ["y"]
    assert opened(tmp_path, onnx_models.fixed_rows()).inputs[0].shape == (2, 3)


def test_a_session_computes(tmp_path: Path) -> None:
    session = opened(tmp_path, onnx_models.lookup())
    (answer,) = session.run("lookup", {"x": np.array([2, 0])})
    assert answer.tolist() == [30.0, 10.0]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"no model at all", id="garbage"),
        pytest.param(b"", id="empty"),
        pytest.param(onnx_models.dense()[:-40], id="cut short"),
    ],
)
def test_a_corrupt_model_is_refused_without_naming_the_nodes_paths(
    tmp_path: Path, data: bytes
) -> None:
    with pytest.raises(ModelUnavailableError, match=r"ONNX Runtime .* does not accept") as caught:
        opened(tmp_path, data)
    assert "/" not in caught.value.message
    assert tmp_path.name not in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("part", ["input", "output"])
def test_axes_must_be_named_in_utf8(tmp_path: Path, part: str) -> None:
    graph = onnx.load_from_string(onnx_models.lookup())
    (tensor,) = getattr(graph.graph, part)
    tensor.type.tensor_type.shape.dim[0].dim_param = "axis-name"
    data = graph.SerializeToString().replace(b"axis-name", b"axis-nam\xe8")
    with pytest.raises(ModelUnavailableError, match="bytes that are not UTF-8"):
        opened(tmp_path, data)


@pytest.mark.parametrize(
    ("data", "feeds", "code", "words"),
    [
        pytest.param(
            onnx_models.lookup(),
            {"x": np.array([7])},
            ErrorCode.INVALID_REQUEST,
            "idx=7",
            id="an index beyond the table",
        ),
        pytest.param(
            onnx_models.lookup(),
            {"x": np.array([[1]])},
            ErrorCode.INVALID_REQUEST,
            "rank",
            id="a rank too many",
        ),
        pytest.param(
            onnx_models.triples(),
            {"x": np.zeros(4, np.float32)},
            ErrorCode.EXECUTION_FAILED,
            "Reshape",
            id="a reshape that does not come out even",
        ),
        pytest.param(
            onnx_models.lookup(),
            {"z": np.array([1])},
            ErrorCode.EXECUTION_FAILED,
            "missing",
            id="another input",
        ),
    ],
)
def test_the_requests_fault_is_told_from_the_models(
    tmp_path: Path, data: bytes, feeds: dict[str, Any], code: ErrorCode, words: str
) -> None:
    session = opened(tmp_path, data)
    with pytest.raises(FarmError, match=words) as caught:
        session.run("tiny", feeds)
    assert caught.value.code is code
    assert caught.value.message.startswith("model 'tiny' failed on this request: ")
    assert len(caught.value.message) < 400
    assert "\n" not in caught.value.message


def test_strings_reach_the_model_as_they_were_sent(tmp_path: Path) -> None:
    from farm.node.arrays import to_array, to_wire

    raw = b"\x03\x00\x00\x00abc\x02\x00\x00\x00" + "é".encode()
    session = opened(tmp_path, onnx_tensors.echo_strings())
    (answer,) = session.run("echo", {"x": to_array("x", "BYTES", (2,), raw)})
    assert to_wire("y", answer) == ("y", "BYTES", (2,), raw)


def test_constants_that_old_models_list_as_inputs_are_none(tmp_path: Path) -> None:
    # Before version 4 of the format every weight had to be an input as well.
    old = onnx.load_from_string(onnx_tensors.shifted())
    old.ir_version = 3
    old.opset_import[0].version = 7
    session = opened(tmp_path, old.SerializeToString())
    assert [spec.name for spec in session.inputs] == ["x"]
