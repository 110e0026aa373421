"""Goldens: a node serves a model only if it computes what the golden's author saw."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx_models
import onnx_tensors
import pytest

from farm.core.errors import ModelUnavailableError
from farm.goldens import Golden, read_golden
from farm.node.goldens import check_golden
from farm.node.sessions import Session


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(onnx_models.write(tmp_path, onnx_models.doubles()), threads=1)


def golden(inputs: dict[str, Any], outputs: dict[str, Any]) -> Golden:
    return Golden(name="g.npz", inputs=inputs, outputs=outputs, rtol=1e-3, atol=1e-6)


ONES = np.ones((2, 3), np.float32)


def save(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def test_a_golden_is_read_by_tensor_name(tmp_path: Path) -> None:
    arrays = {"input:x": ONES, "output:y": ONES * 2, "rtol": 1e-3, "atol": 1e-5}
    read = read_golden(save(tmp_path / "g.npz", **arrays))
    assert read.name == "g.npz"
    assert list(read.inputs) == ["x"]
    assert list(read.outputs) == ["y"]
    assert (read.rtol, read.atol) == (1e-3, 1e-5)
    np.testing.assert_array_equal(read.outputs["y"], ONES * 2)


def test_a_golden_that_unpacks_to_more_than_a_node_has_is_not_unpacked(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.npz"
    np.savez_compressed(bomb, **{"input:x": np.zeros(40 << 20, np.float32)})
    assert bomb.stat().st_size < 1 << 20
    with pytest.raises(ModelUnavailableError, match=r"'bomb\.npz' unpacks to 16777\d+ bytes"):
        read_golden(bomb)


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda path: path.write_bytes(b"garbage"), id="garbage"),
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
        pytest.param(lambda path: None, id="no file"),
        pytest.param(lambda path: save(path, rtol=1.0), id="no atol"),
        pytest.param(
            lambda path: save(
                path, rtol=1, atol=1, **{"input:x": np.array([{}, None], dtype=object)}
            ),
            id="pickled objects",
        ),
    ],
)
def test_a_bad_golden_is_named(tmp_path: Path, make: Any) -> None:
    path = tmp_path / "g.npz"
    make(path)
    with pytest.raises(ModelUnavailableError, match=r"golden file 'g.npz' cannot be read") as error:
        read_golden(path)
    assert str(tmp_path) not in error.value.message


def test_the_right_answers_pass(session: Session) -> None:
    check_golden(session, golden({"x": ONES}, {"y": ONES * 2}))
    check_golden(session, golden({"x": ONES}, {"y": ONES * 2 * (1 + 5e-4)}))


def test_a_wrong_answer_is_told_with_how_far_it_is_off(session: Session) -> None:
    expected = ONES * 2
    expected[1, 2] = 2.5
    with pytest.raises(
        ModelUnavailableError,
        match=r"golden 'g.npz': output 'y' differs by up to 0.5 \(rtol 0.001, atol 1e-06\)",
    ):
        check_golden(session, golden({"x": ONES}, {"y": expected}))


def test_not_a_number_is_not_a_number(session: Session) -> None:
    nan = np.full((1, 3), np.nan, np.float32)
    check_golden(session, golden({"x": nan}, {"y": nan}))
    with pytest.raises(ModelUnavailableError, match="differs"):
        check_golden(session, golden({"x": nan}, {"y": np.ones((1, 3), np.float32)}))


def test_a_wrong_shape_is_told(session: Session) -> None:
    with pytest.raises(
        ModelUnavailableError, match=r"output 'y' has shape \[2, 3\] instead of \[1, 3\]"
    ):
        check_golden(session, golden({"x": ONES}, {"y": ONES[:1] * 2}))


def test_an_output_that_the_model_lacks_is_named(session: Session) -> None:
    with pytest.raises(ModelUnavailableError, match="expects output 'z', which the model does not"):
        check_golden(session, golden({"x": ONES}, {"z": ONES}))


def test_an_input_that_the_model_lacks_is_the_goldens_fault(session: Session) -> None:
    with pytest.raises(ModelUnavailableError, match=r"golden 'g.npz': .*missing"):
        check_golden(session, golden({"z": ONES}, {"y": ONES}))


def test_whole_numbers_must_be_equal(tmp_path: Path) -> None:
    numbers = onnx_models.model(
        [onnx_models.helper.make_node("Add", ["x", "x"], ["y"])],
        [("x", onnx_models.INT64, ["n"])],
        [("y", onnx_models.INT64, ["n"])],
    )
    session = Session(onnx_models.write(tmp_path, numbers, "numbers.onnx"), threads=1)
    thousand = np.array([1000])
    check_golden(session, golden({"x": thousand}, {"y": np.array([2000])}))
    with pytest.raises(ModelUnavailableError, match="output 'y' is not equal to the expected"):
        check_golden(session, golden({"x": thousand}, {"y": np.array([2001])}))


def test_a_golden_of_whole_numbers_does_not_round_the_answer(session: Session) -> None:
    with pytest.raises(ModelUnavailableError):
        check_golden(session, golden({"x": ONES * 1.25}, {"y": np.full((2, 3), 2, dtype=np.int64)}))


def test_a_golden_of_strings_does_not_cut_the_answer(tmp_path: Path) -> None:
    session = Session(
        onnx_models.write(tmp_path, onnx_tensors.echo_strings(), "echo.onnx"), threads=1
    )
    with pytest.raises(ModelUnavailableError):
        check_golden(session, golden({"x": np.array(["abcdef"])}, {"y": np.array(["abc"])}))
