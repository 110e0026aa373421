"""Whether rows may ride together is found out with the model itself."""

from pathlib import Path

import numpy as np
import onnx_models
import onnx_tensors
import pytest

from farm.core.errors import ModelUnavailableError
from farm.goldens import Golden
from farm.node.batchability import Batching, find_batching
from farm.node.rows import Rows
from farm.node.sessions import Session


def found(
    folder: Path,
    data: bytes,
    declared: int | None = None,
    goldens: list[Golden] | None = None,
    *,
    joins: bool = False,
) -> Batching:
    session = Session(onnx_models.write(folder, data), threads=1)
    rows = Rows(session.inputs, goldens or [])
    return find_batching(session, rows, declared=declared, joins=joins)


@pytest.mark.parametrize(
    "data", [onnx_models.doubles(), onnx_models.dense()], ids=["doubles", "dense"]
)
def test_independent_rows_ride_together(tmp_path: Path, data: bytes) -> None:
    assert found(tmp_path, data) == Batching(64, True, "4 rows together equal each row alone")


def test_a_fixed_first_axis_is_no_batch_axis(tmp_path: Path) -> None:
    assert found(tmp_path, onnx_models.fixed_rows()) == Batching(
        0, False, "tensor 'x' has no dynamic first dimension"
    )


@pytest.mark.parametrize(
    "data",
    [onnx_models.centred(), onnx_models.slightly_centred(), onnx_models.running_sum()],
    ids=["mean", "a little of the mean", "running sum"],
)
def test_rows_that_depend_on_each_other_run_alone(tmp_path: Path, data: bytes) -> None:
    assert found(tmp_path, data) == Batching(
        64, False, "output 'y' of a row depends on the other rows, so each request runs alone"
    )


def test_an_output_without_the_rows_is_noticed(tmp_path: Path) -> None:
    assert found(tmp_path, onnx_models.repeated()) == Batching(
        64, False, "output 'y' does not follow the first dimension, so each request runs alone"
    )


def test_dynamic_quantisation_is_found_out(tmp_path: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    plain = onnx_models.write(tmp_path, onnx_models.dense(), "plain.onnx")
    quantised = tmp_path / "quantised.onnx"
    quantize_dynamic(plain, quantised, weight_type=QuantType.QInt8)
    batching = found(tmp_path, quantised.read_bytes())
    assert not batching.joins
    assert "output 'y' of a row depends on the other rows" in batching.batching_reason


def test_requests_of_a_model_that_random_rows_do_not_suit_run_alone(tmp_path: Path) -> None:
    batching = found(tmp_path, onnx_models.triples())
    assert not batching.joins
    assert "sample rows could not be run" in batching.batching_reason


def test_a_goldens_rows_are_tried_where_there_is_one(tmp_path: Path) -> None:
    # Random whole numbers are 0 or 1; only the golden's rows tell these two apart.
    table = onnx_models.model(
        [
            onnx_models.helper.make_node("ReduceMax", ["x"], ["top"], axes=[0], keepdims=1),
            onnx_models.helper.make_node("Div", ["top", "hundred"], ["extra"]),
            onnx_models.helper.make_node("Add", ["x", "extra"], ["y"]),
        ],
        [("x", onnx_models.INT64, ["n"])],
        [("y", onnx_models.INT64, ["n"])],
        [onnx_models.constant("hundred", np.array([100]))],
    )
    golden = Golden(name="g", inputs={"x": np.array([1, 500])}, outputs={}, rtol=0.0, atol=0.0)
    assert found(tmp_path, table).joins
    assert not found(tmp_path, table, goldens=[golden]).joins


@pytest.mark.parametrize("declared", [1, 7])
def test_the_size_that_the_config_says_holds(tmp_path: Path, declared: int) -> None:
    independent = found(tmp_path, onnx_models.doubles(), declared)
    assert (independent.max_batch_size, independent.joins) == (declared, True)
    dependent = found(tmp_path, onnx_models.centred(), declared)
    assert (dependent.max_batch_size, dependent.joins) == (declared, False)


def test_a_config_that_asks_for_dynamic_batching_answers_for_it(tmp_path: Path) -> None:
    assert found(tmp_path, onnx_models.centred(), 7, joins=True) == Batching(
        7, True, "dynamic_batching of the model's config"
    )


@pytest.mark.parametrize("data", [onnx_models.fixed_rows(), onnx_models.doubles()])
def test_a_model_may_be_declared_without_a_batch_axis(tmp_path: Path, data: bytes) -> None:
    assert found(tmp_path, data, 0) == Batching(0, False, "max_batch_size of the model's config")


def test_batching_that_the_model_cannot_do_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailableError, match=r"max_batch_size: 8, but tensor 'x'"):
        found(tmp_path, onnx_models.fixed_rows(), 8)


def test_requests_of_a_model_that_squeezes_a_single_row_away_run_alone(tmp_path: Path) -> None:
    assert not found(tmp_path, onnx_models.squeezed()).joins


@pytest.mark.filterwarnings("ignore:One of rtol or atol:RuntimeWarning")
def test_infinite_outputs_do_not_hide_dependence(tmp_path: Path) -> None:
    with np.errstate(all="ignore"):
        assert not found(tmp_path, onnx_models.centred_with_mask()).joins


def test_strings_are_compared_too(tmp_path: Path) -> None:
    assert found(tmp_path, onnx_tensors.echo_strings()).joins


def test_a_default_is_no_reason_against_batching(tmp_path: Path) -> None:
    assert found(tmp_path, onnx_tensors.shifted()).joins
    assert found(tmp_path, onnx_tensors.shifted(), 8).max_batch_size == 8


@pytest.mark.parametrize("element_type", [onnx_tensors.FLOAT16, onnx_tensors.BFLOAT16])
def test_rows_of_short_floats_may_ride_together_unless_they_depend(
    tmp_path: Path, element_type: int
) -> None:
    assert found(tmp_path, onnx_tensors.narrowed(onnx_models.dense, element_type)).joins
    assert not found(tmp_path, onnx_tensors.narrowed(onnx_models.centred, element_type)).joins
