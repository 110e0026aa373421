"""Arrays from files: what is read, what is converted, what is refused."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from farm.client.files import fit_datatypes, read_array
from farm.core.errors import InvalidRequestError
from farm.core.tensors import Datatype

NOTHING = io.BytesIO()


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def test_npy_and_json_are_told_by_their_content(tmp_path: Path) -> None:
    array = np.arange(6, dtype=np.int16).reshape(2, 3)
    path = tmp_path / "any.name"
    path.write_bytes(npy(array))
    read = read_array(path, NOTHING)
    assert read.dtype == np.int16
    np.testing.assert_array_equal(read, array)
    path.write_text(json.dumps(array.tolist()))
    np.testing.assert_array_equal(read_array(path, NOTHING), array)


def test_standard_input_is_read_without_a_file() -> None:
    np.testing.assert_array_equal(read_array(None, io.BytesIO(b"[[1, 2.5]]")), [[1, 2.5]])
    np.testing.assert_array_equal(read_array(None, io.BytesIO(npy(np.ones(3)))), np.ones(3))
    assert read_array(None, io.BytesIO(b'["a", "b"]')).tolist() == ["a", "b"]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"no json", id="neither"),
        pytest.param(b"", id="empty"),
        pytest.param(b"[[1, 2], [3]]", id="ragged"),
        pytest.param(b"\xff\xfe", id="binary"),
        pytest.param(npy(np.ones(10))[:-8], id="npy cut short"),
        pytest.param(npy(np.ones(10))[:12], id="npy header cut short"),
    ],
)
def test_what_is_neither_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(InvalidRequestError, match=r"x\.json is neither a \.npy file nor JSON"):
        read_array(path, NOTHING)
    with pytest.raises(InvalidRequestError, match="standard input is neither"):
        read_array(None, io.BytesIO(content))


def test_pickles_are_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InvalidRequestError, match="neither"):
        read_array(path, NOTHING)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match=r"x\.npy cannot be read: No such file"):
        read_array(tmp_path / "x.npy", NOTHING)
    with pytest.raises(InvalidRequestError, match="cannot be read: Is a directory"):
        read_array(tmp_path, NOTHING)


@pytest.mark.parametrize("content", [b'{"a": 1}', b"null", b"[1, null]", b"[18446744073709551616]"])
def test_json_that_is_no_list_of_numbers_or_strings_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidRequestError, match="neither"):
        read_array(None, io.BytesIO(content))


def fit(array: Any, datatype: Datatype) -> np.ndarray:
    return fit_datatypes({"x": np.asarray(array)}, {"x": datatype})["x"]


@pytest.mark.parametrize(
    ("array", "datatype", "expected"),
    [
        ([1, 2], Datatype.FP32, np.array([1, 2], np.float32)),
        ([1, 2], Datatype.UINT8, np.array([1, 2], np.uint8)),
        ([0.1], Datatype.FP32, np.array([0.1], np.float32)),
        ([0.5], Datatype.FP16, np.array([0.5], np.float16)),
        ([1.0, -2.0], Datatype.INT8, np.array([1, -2], np.int8)),
        ([True, False], Datatype.BOOL, np.array([True, False])),
        ([0, 1], Datatype.BOOL, np.array([False, True])),
        ([], Datatype.INT64, np.array([], np.int64)),
    ],
)
def test_numbers_get_the_models_type(array: Any, datatype: Datatype, expected: np.ndarray) -> None:
    fitted = fit(array, datatype)
    assert fitted.dtype == expected.dtype
    np.testing.assert_array_equal(fitted, expected)


@pytest.mark.parametrize(
    ("array", "datatype"),
    [
        ([256], Datatype.UINT8),
        ([-1], Datatype.UINT64),
        ([0.5], Datatype.INT32),
        ([2], Datatype.BOOL),
    ],
)
def test_a_value_that_does_not_fit_is_refused(array: Any, datatype: Datatype) -> None:
    with pytest.raises(InvalidRequestError, match=f"input 'x' is {datatype}, which does not hold"):
        fit(array, datatype)


@pytest.mark.filterwarnings("ignore:overflow encountered in cast:RuntimeWarning")
def test_a_number_too_large_for_a_short_float_is_refused() -> None:
    with pytest.raises(InvalidRequestError):
        fit([1e10], Datatype.FP16)


def test_what_the_server_must_judge_is_left_alone() -> None:
    text = np.array(["a"])
    assert fit(text, Datatype.FP32) is text
    numbers = np.array([1])
    assert fit(numbers, Datatype.BYTES) is numbers
    assert fit_datatypes({"other": numbers}, {"x": Datatype.FP32}) == {"other": numbers}
