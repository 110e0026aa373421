"""A request's inputs from the contents of files."""

import io
import json
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image

from farm.client import TensorMetadata, bfloat16
from farm.client.datatypes import datatype_of
from farm.client.inputs.named_files import InputFile, read_inputs
from farm.core.errors import InvalidRequestError, UnsupportedError
from farm.core.tensors import Datatype


def tensor(name: str, shape: Sequence[int], datatype: Datatype = Datatype.FP32) -> TensorMetadata:
    return TensorMetadata(name=name, datatype=datatype, shape=tuple(shape))


ONE = (tensor("x", [-1, 2]),)
TWO = (tensor("a", [-1]), tensor("b", [-1], Datatype.INT64))
PICTURE = (tensor("image", [-1, 1, 2, 2], Datatype.UINT8),)
DECLARED = json.dumps({"layout": "NCHW", "height": 2, "width": 2, "channels": 1})


def read(
    *files: InputFile, tensors: Sequence[TensorMetadata] = ONE, declared: str = DECLARED
) -> dict[str, np.ndarray]:
    return read_inputs(files, tensors, preprocessing=lambda _name: declared)


def file(content: Any, name: str = "", shown: str = "a file") -> InputFile:
    """Return bytes as they are, anything else as JSON."""
    content = content if isinstance(content, bytes) else json.dumps(content).encode()
    return InputFile(name=name, content=content, shown=shown)


def shown(arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    return {name: array.tolist() for name, array in arrays.items()}


def grey(value: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (4, 4), value).save(buffer, "PNG")
    return buffer.getvalue()


def npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def test_one_input_needs_no_name() -> None:
    found = read(file([[1, 2]]))
    assert (found["x"].dtype, shown(found)) == (np.float32, {"x": [[1, 2]]})
    assert shown(read(file([[3, 4]], "x"))) == {"x": [[3, 4]]}


def test_a_file_may_name_its_inputs() -> None:
    both = npz(a=np.ones(1), b=np.zeros(1))
    assert shown(read(file(both), tensors=TWO)) == {"a": [1], "b": [0]}
    assert shown(read(file(both, "b"), tensors=TWO)) == {"b": [0]}
    assert shown(read(file({"b": [7], "a": [8]}), tensors=TWO)) == {"b": [7], "a": [8]}
    assert shown(read(file(npz(other=np.ones(2)), "a"), tensors=TWO)) == {"a": [1, 1]}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([file([1])], "a file does not say which input it is for; name one of a, b"),
        ([file([1], "a"), file([1], "a", "the second")], "'a' is given twice, again by the second"),
        ([file({"a": [1], "b": [1]}, "c")], "a file holds a, b and no 'c'"),
    ],
)
def test_what_is_not_clear_is_asked_for(files: list[InputFile], message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        read(*files, tensors=TWO)


def test_pictures_of_one_input_are_a_batch() -> None:
    found = read(file(grey(20), "image"), file(grey(10)), tensors=PICTURE)
    assert found["image"].shape == (2, 1, 2, 2)
    assert found["image"].dtype == np.uint8
    assert found["image"][:, 0, 0, 0].tolist() == [20, 10]


def test_pictures_of_bf16_stay_bf16_in_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    bfloat16.bf16_dtype.cache_clear()
    try:
        tensors = (tensor("image", [-1, 1, 2, 2], Datatype.BF16),)
        found = read(file(grey(20)), file(grey(10)), tensors=tensors)["image"]
        assert datatype_of(found) is Datatype.BF16
        assert bfloat16.as_numbers(found)[:, 0, 0, 0].tolist() == [20.0, 10.0]
    finally:
        bfloat16.bf16_dtype.cache_clear()


def test_a_model_without_a_batch_axis_takes_one_picture_as_it_is() -> None:
    found = read(file(grey(10)), tensors=(tensor("image", [1, 2, 2]),))
    assert found["image"].shape == (1, 2, 2)


def test_a_model_that_declares_nothing_takes_no_pictures() -> None:
    with pytest.raises(UnsupportedError, match=r"farm\.preprocessing\.image"):
        read(file(grey(10)), tensors=PICTURE, declared="")


def test_pictures_for_the_wrong_input_are_refused() -> None:
    with pytest.raises(InvalidRequestError, match="no input 'other'; its inputs are image"):
        read(file(grey(10), "other"), tensors=PICTURE)
    with pytest.raises(InvalidRequestError, match="as pictures and as an array"):
        read(file(grey(10)), file([[[[1]]]], "image"), tensors=PICTURE)


def test_a_damaged_picture_is_named() -> None:
    with pytest.raises(InvalidRequestError, match=r"cut\.png is damaged"):
        read(file(grey(10)[:45], shown="cut.png"), tensors=PICTURE)
