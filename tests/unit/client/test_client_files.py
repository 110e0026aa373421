"""Arrays from files: what is read, what is converted, what is refused."""

import io
import json
from typing import Any

import numpy as np
import pytest

from farm.client.bfloat16 import as_numbers
from farm.client.datatypes import datatype_of
from farm.client.inputs.files import UNNAMED, fit_datatypes, read_arrays
from farm.core.errors import InvalidRequestError
from farm.core.tensors import Datatype


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def alone(content: bytes) -> np.ndarray:
    found = read_arrays(content, "it")
    assert list(found) == [UNNAMED]
    return found[UNNAMED]


def test_npy_and_json_are_told_by_their_content() -> None:
    array = np.arange(6, dtype=np.int16).reshape(2, 3)
    assert alone(npy(array)).dtype == np.int16
    np.testing.assert_array_equal(alone(npy(array)), array)
    np.testing.assert_array_equal(alone(json.dumps(array.tolist()).encode()), array)
    np.testing.assert_array_equal(alone(b"[[1, 2.5]]"), [[1, 2.5]])
    assert alone(b'["a", "b"]').tolist() == ["a", "b"]


def test_an_archive_names_its_arrays() -> None:
    found = read_arrays(npz(a=np.ones(2), b=np.zeros((1, 3), np.int8)), "it")
    assert {name: array.shape for name, array in found.items()} == {"a": (2,), "b": (1, 3)}


def test_of_goldens_the_inputs_are_taken() -> None:
    content = npz(**{"input:x": np.ones(2), "output:y": np.zeros(1), "rtol": np.array(0.1)})
    assert list(read_arrays(content, "it")) == ["x"]


def test_an_object_names_its_arrays() -> None:
    found = read_arrays(b'{"a": [1, 2], "inputs": [[0.5]]}', "it")
    assert {name: array.tolist() for name, array in found.items()} == {
        "a": [1, 2],
        "inputs": [[0.5]],
    }


def test_a_requests_body_has_shapes_and_datatypes() -> None:
    body = {
        "id": "1",
        "inputs": [
            {"name": "x", "shape": [2, 2], "datatype": "FP16", "data": [1, 2, 3, 4.5]},
            {"name": "n", "shape": [1, 2], "datatype": "UINT8", "data": [[7, 255]]},
            {"name": "s", "shape": [2], "datatype": "BYTES", "data": ["a", "b"]},
        ],
    }
    found = read_arrays(json.dumps(body).encode(), "it")
    assert (found["x"].dtype, found["x"].tolist()) == (np.float16, [[1, 2], [3, 4.5]])
    assert (found["n"].dtype, found["n"].tolist()) == (np.uint8, [[7, 255]])
    assert found["s"].tolist() == ["a", "b"]


@pytest.mark.parametrize(
    "tensor",
    [
        {"name": "x", "shape": [3], "datatype": "FP32", "data": [1, 2]},
        {"name": "x", "shape": [2], "datatype": "FP8", "data": [1, 2]},
        {"name": "x", "shape": [2], "data": [1, 2]},
        {"name": "x", "shape": [2], "datatype": "FP32"},
        {"name": "x", "shape": 2, "datatype": "FP32", "data": [1, 2]},
        {"shape": [2], "datatype": "FP32", "data": [1, 2]},
    ],
)
def test_a_requests_body_that_contradicts_itself_is_refused(tensor: Any) -> None:
    with pytest.raises(InvalidRequestError, match="it is neither"):
        read_arrays(json.dumps({"inputs": [tensor]}).encode(), "it")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"no json", id="neither"),
        pytest.param(b"", id="empty"),
        pytest.param(b"[[1, 2], [3]]", id="ragged"),
        pytest.param(b"\xff\xfe", id="binary"),
        pytest.param(npy(np.ones(10))[:-8], id="npy cut short"),
        pytest.param(npy(np.ones(10))[:12], id="npy header cut short"),
        pytest.param(npz(a=np.ones(10))[:-30], id="npz cut short"),
        pytest.param(b'{"a": 1}'[:-1], id="json cut short"),
        pytest.param(b"[" * 100_000, id="json without end"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[1, null]", id="a null inside"),
        pytest.param(b"[18446744073709551616]", id="an integer of 65 bits"),
    ],
)
def test_what_is_neither_is_named(content: bytes) -> None:
    with pytest.raises(InvalidRequestError, match=r"x\.json is neither a PNG .*, nor a \.npy"):
        read_arrays(content, "x.json")


@pytest.mark.parametrize("save", [np.save, np.savez])
def test_pickles_are_not_opened(save: Any) -> None:
    buffer = io.BytesIO()
    save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InvalidRequestError, match="neither"):
        read_arrays(buffer.getvalue(), "it")


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


def test_numbers_become_bf16_and_its_bits_stay() -> None:
    fitted = fit([1, -2.5], Datatype.BF16)
    assert datatype_of(fitted) is Datatype.BF16
    assert as_numbers(fitted).tolist() == [1, -2.5]
    bits = fit(np.array([0x3F80, 0xC020], np.uint16), Datatype.BF16)
    assert datatype_of(bits) is Datatype.BF16
    assert as_numbers(bits).tolist() == [1, -2.5]


@pytest.mark.parametrize(
    ("array", "datatype"),
    [
        ([256], Datatype.UINT8),
        ([-1], Datatype.UINT64),
        ([0.5], Datatype.INT32),
        ([2], Datatype.BOOL),
        ([1e10], Datatype.FP16),
    ],
)
def test_a_value_that_does_not_fit_is_refused(array: Any, datatype: Datatype) -> None:
    with pytest.raises(InvalidRequestError, match=f"input 'x' is {datatype}, which does not hold"):
        fit(array, datatype)


def test_what_the_server_must_judge_is_left_alone() -> None:
    text = np.array(["a"])
    assert fit(text, Datatype.FP32) is text
    numbers = np.array([1])
    assert fit(numbers, Datatype.BYTES) is numbers
    assert fit_datatypes({"other": numbers}, {"x": Datatype.FP32}) == {"other": numbers}
