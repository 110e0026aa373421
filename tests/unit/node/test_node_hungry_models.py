"""Models that want more memory than there is: the trial fails, the node does not."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx_models
import pytest
from onnx import TensorProto, helper

from farm.core.errors import ModelUnavailableError
from farm.core.tensors import Datatype, TensorSpec
from farm.node.batchability import find_batching
from farm.node.latency import measure_curve
from farm.node.qualifier import Qualifier, Trial
from farm.node.rows import MAX_SAMPLE_BYTES, Rows
from farm.node.sessions import Session, _clean


def wide(columns: int) -> bytes:
    """x [n,columns] to its largest value: [n]."""
    return onnx_models.model(
        [helper.make_node("ReduceMax", ["x"], ["y"], axes=[1], keepdims=0)],
        [("x", TensorProto.FLOAT, ["n", columns])],
        [("y", TensorProto.FLOAT, ["n"])],
    )


def greedy() -> bytes:
    """n [1] to the sum of as many ones as a terabyte holds: the graph alone wants that."""
    return onnx_models.model(
        [
            helper.make_node("ConstantOfShape", ["size"], ["ones"]),
            helper.make_node("Add", ["ones", "x"], ["more"]),
            helper.make_node("ReduceSum", ["more"], ["y"], keepdims=0),
        ],
        [("x", TensorProto.FLOAT, [1])],
        [("y", TensorProto.FLOAT, [])],
        [onnx_models.constant("size", np.array([1 << 38], dtype=np.int64))],
    )


@pytest.fixture
def qualifier() -> Iterator[Qualifier]:
    made = Qualifier(threads=1, timeout_s=60.0, curve_budget_s=5.0)
    yield made
    made.close()


def trial(folder: Path, data: bytes) -> Trial:
    return Trial(path=onnx_models.write(folder, data), folder=folder, goldens=(), warmups=())


def test_rows_beyond_what_a_batch_may_have_are_not_made_up() -> None:
    spec = TensorSpec(name="x", datatype=Datatype.FP32, shape=(-1, 1 << 31))
    for attempt in (lambda: Rows([spec], []).take(1), Rows([spec], []).whole):
        with pytest.raises(ModelUnavailableError, match="more than the"):
            attempt()


def test_requests_of_a_model_with_enormous_rows_run_alone(
    tmp_path: Path, qualifier: Qualifier
) -> None:
    report = qualifier.qualify(trial(tmp_path, wide(1 << 31)), max_batch_size=None)
    assert not report.joins
    assert "could not be run together" in report.batching_reason
    held = trial(tmp_path, wide(1 << 31))
    assert qualifier.measure(held, max_rows=1, threads=1, capacity=1) is None


def test_a_curve_ends_where_a_batch_would_be_too_large(tmp_path: Path) -> None:
    columns = MAX_SAMPLE_BYTES // 4 // 4
    session = Session(onnx_models.write(tmp_path, wide(columns)), threads=1)
    rows = Rows(session.inputs, [])
    assert find_batching(session, rows, declared=None, joins=False).joins
    curve = measure_curve(session, rows, threads=1, capacity=1, max_rows=64, budget_s=60.0)
    assert curve is not None
    assert [rows for rows, _ in curve.points] == [1, 2, 4]


def test_a_graph_that_wants_a_terabyte_fails_its_trial(
    tmp_path: Path, qualifier: Qualifier
) -> None:
    held = trial(tmp_path, greedy())
    try:
        qualifier.qualify(held, max_batch_size=0)
    except ModelUnavailableError as error:
        assert "llocat" in error.message  # opening it folds the constant
    else:
        assert qualifier.measure(held, max_rows=0, threads=1, capacity=1) is None
    report = qualifier.qualify(trial(tmp_path, onnx_models.doubles()), max_batch_size=None)
    assert report.max_batch_size == 64


def test_the_runtimes_own_code_is_not_shown() -> None:
    error = Exception(
        "[ONNXRuntimeError] : 1 : FAIL : Load model from /x/model.onnx failed:/a/graph.cc:3"
        " std::unique_ptr<int> onnxruntime::Graph::Make(const onnxruntime::Node&, void (*)(int))"
        " const [ONNXRuntimeError] : 1 : FAIL : tensor sizes differ"
    )
    assert _clean(error) == "Load model from failed: tensor sizes differ"
