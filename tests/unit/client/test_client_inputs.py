"""A request's inputs from what a command line names."""

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from PIL import Image
from plain_server import plain_server

from farm.client import FarmClient, TensorMetadata
from farm.client.inputs import declared_preprocessing, read_inputs
from farm.client.random_inputs import random_inputs
from farm.core.errors import ConfigurationError, FarmError, InvalidRequestError
from farm.core.tensors import Datatype
from farm.pb.farm_admin_pb2 import DescribeModelResponse
from farm.pb.open_inference_pb2 import ModelConfigResponse


def tensor(name: str, shape: Sequence[int], datatype: Datatype = Datatype.FP32) -> TensorMetadata:
    return TensorMetadata(name=name, datatype=datatype, shape=tuple(shape))


ONE = (tensor("x", [-1, 2]),)
TWO = (tensor("a", [-1]), tensor("b", [-1], Datatype.INT64))
PICTURE = (tensor("image", [-1, 1, 2, 2], Datatype.UINT8),)
DECLARED = json.dumps({"height": 2, "width": 2, "channels": 1})


def read(
    *given: str,
    tensors: Sequence[TensorMetadata] = ONE,
    stdin: bytes = b"",
    declared: str = DECLARED,
) -> dict[str, np.ndarray]:
    return read_inputs(
        given, tensors, preprocessing=lambda _name: declared, stdin=io.BytesIO(stdin)
    )


def shown(arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    return {name: array.tolist() for name, array in arrays.items()}


def grey(path: Path, value: int) -> Path:
    Image.new("L", (4, 4), value).save(path)
    return path


def test_one_input_needs_no_name(tmp_path: Path) -> None:
    path = tmp_path / "any.json"
    path.write_text("[[1, 2]]")
    found = read(str(path))
    assert (found["x"].dtype, shown(found)) == (np.float32, {"x": [[1, 2]]})
    assert shown(read("-", stdin=b"[[3, 4]]")) == {"x": [[3, 4]]}
    assert shown(read("x=-", stdin=b"[[3, 4]]")) == {"x": [[3, 4]]}


def test_a_file_may_name_its_inputs(tmp_path: Path) -> None:
    path = tmp_path / "both.npz"
    np.savez(path, a=np.ones(1), b=np.zeros(1))
    assert shown(read(str(path), tensors=TWO)) == {"a": [1], "b": [0]}
    assert shown(read(f"b={path}", tensors=TWO)) == {"b": [0]}
    assert shown(read("-", tensors=TWO, stdin=b'{"b": [7], "a": [8]}')) == {"b": [7], "a": [8]}
    np.savez(path, other=np.ones(2))
    assert shown(read(f"a={path}", tensors=TWO)) == {"a": [1, 1]}


def test_an_equals_sign_in_a_file_belongs_to_it(tmp_path: Path) -> None:
    path = tmp_path / "a=b.json"
    path.write_text("[[1, 2]]")
    assert shown(read(f"x={path}")) == {"x": [[1, 2]]}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["=file"], "write NAME=FILE"),
        (["x="], "write NAME=FILE"),
        ([""], "write NAME=FILE"),
        (["a=-", "b=-"], "standard input can be read only once"),
        (["-"], "does not say which input it is for.*one of a, b"),
        (["a={one}", "a={one}"], "input 'a' is given twice"),
        (["c={both}"], "holds a, b and no 'c'"),
        (["a={nothing}*.npy"], "no file matches"),
    ],
)
def test_what_is_not_clear_is_asked_for(tmp_path: Path, given: list[str], message: str) -> None:
    one, both = tmp_path / "one.json", tmp_path / "both.json"
    one.write_text("[1]")
    both.write_text('{"a": [1], "b": [1]}')
    paths = {"one": one, "both": both, "nothing": tmp_path / "nothing"}
    with pytest.raises(ConfigurationError, match=message):
        read(*(text.format(**paths) for text in given), tensors=TWO, stdin=b"[1]")


def test_pictures_of_one_input_are_a_batch(tmp_path: Path) -> None:
    first, second = grey(tmp_path / "1.png", 10), grey(tmp_path / "2.png", 20)
    found = read(f"image={second}", str(first), tensors=PICTURE)
    assert found["image"].shape == (2, 1, 2, 2)
    assert found["image"].dtype == np.uint8
    assert found["image"][:, 0, 0, 0].tolist() == [20, 10]
    by_pattern = read(f"{tmp_path}/*.png", tensors=PICTURE)
    assert by_pattern["image"][:, 0, 0, 0].tolist() == [10, 20]


def test_a_picture_may_come_from_standard_input(tmp_path: Path) -> None:
    content = grey(tmp_path / "1.png", 10).read_bytes()
    assert read("-", tensors=PICTURE, stdin=content)["image"].shape == (1, 1, 2, 2)


def test_a_model_without_a_batch_axis_takes_one_picture_as_it_is(tmp_path: Path) -> None:
    path = grey(tmp_path / "1.png", 10)
    found = read(str(path), tensors=(tensor("image", [1, 2, 2]),))
    assert found["image"].shape == (1, 2, 2)


def test_a_model_that_declares_nothing_takes_no_pictures(tmp_path: Path) -> None:
    path = grey(tmp_path / "1.png", 10)
    with pytest.raises(ConfigurationError, match=r"farm\.preprocessing\.image"):
        read(str(path), tensors=PICTURE, declared="")


def test_pictures_for_the_wrong_input_are_refused(tmp_path: Path) -> None:
    path = grey(tmp_path / "1.png", 10)
    with pytest.raises(ConfigurationError, match="no input 'other'; its inputs are image"):
        read(f"other={path}", tensors=PICTURE)
    array = tmp_path / "x.json"
    array.write_text("[[[[1]]]]")
    with pytest.raises(ConfigurationError, match="as pictures and as an array"):
        read(str(path), f"image={array}", tensors=PICTURE)


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cut.png"
    path.write_bytes(grey(tmp_path / "1.png", 10).read_bytes()[:45])
    with pytest.raises(InvalidRequestError, match=r"cut\.png is damaged"):
        read(str(path), tensors=PICTURE)


# -- what a model declares ------------------------------------------------------------


def refuse(status: grpc.StatusCode) -> Callable[..., Any]:
    return lambda _, context: context.abort(status, "no")


def declared(behaviours: dict[str, Any], name: str = "image") -> str:
    with plain_server(behaviours) as address, FarmClient(address, retries=0) as client:
        return declared_preprocessing(client, "m", "")(name)


def described() -> DescribeModelResponse:
    response = DescribeModelResponse()
    for state, text in (("loading", "newest"), ("ready", "served"), ("ready", "oldest")):
        version = response.versions.add()
        version.snapshot.state = state
        version.inputs.add(name="image", preprocessing=text)
        version.inputs.add(name="mask")
    return response


def configured() -> ModelConfigResponse:
    response = ModelConfigResponse()
    response.config.parameters["farm.preprocessing.image"].string_value = "configured"
    return response


def test_a_farm_describes_the_version_that_serves() -> None:
    behaviours = {"DescribeModel": lambda *_: described()}
    assert declared(behaviours) == "served"
    assert declared(behaviours, "mask") == ""
    assert declared(behaviours, "other") == ""


@pytest.mark.parametrize(
    "status", [grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.PERMISSION_DENIED]
)
def test_of_other_servers_the_config_is_read(status: grpc.StatusCode) -> None:
    behaviours = {"DescribeModel": refuse(status), "ModelConfig": lambda *_: configured()}
    assert declared(behaviours) == "configured"
    assert declared(behaviours, "mask") == ""
    assert declared({}) == ""


def test_a_server_that_fails_is_not_taken_for_one_that_declares_nothing() -> None:
    with pytest.raises(FarmError):
        declared({"DescribeModel": refuse(grpc.StatusCode.UNAVAILABLE)})
    with pytest.raises(FarmError):
        declared({"ModelConfig": refuse(grpc.StatusCode.NOT_FOUND)})


# -- random inputs --------------------------------------------------------------------


@pytest.mark.parametrize("datatype", Datatype)
def test_random_inputs_have_every_datatype(datatype: Datatype) -> None:
    from farm.client.codec import to_request

    tensors = (tensor("x", [-1, 3, 2], datatype),)
    first = random_inputs(tensors, rows=4, shapes={}, seed=1)
    assert first["x"].shape == (4, 3, 2)
    message = to_request("m", first)
    assert message.inputs[0].datatype == datatype
    assert message == to_request("m", random_inputs(tensors, rows=4, shapes={}, seed=1))
    assert message != to_request("m", random_inputs(tensors, rows=4, shapes={}, seed=2))


def test_open_dimensions_are_given_by_name() -> None:
    tensors = (tensor("a", [-1, -1, 2]), tensor("b", [3]))
    found = random_inputs(tensors[:1], rows=5, shapes={"a": (7, 2)}, seed=0)
    assert found["a"].shape == (5, 7, 2)
    unbatched = random_inputs(tensors, rows=None, shapes={"a": (1, 7, 2)}, seed=0)
    assert (unbatched["a"].shape, unbatched["b"].shape) == ((1, 7, 2), (3,))


@pytest.mark.parametrize("shape", [None, (7,), (7, 3), (7, 2, 1), (-1, 2)])
def test_a_shape_that_does_not_fit_is_asked_for(shape: tuple[int, ...] | None) -> None:
    shapes = {} if shape is None else {"a": shape}
    with pytest.raises(InvalidRequestError, match="--shape a=D,D"):
        random_inputs((tensor("a", [-1, -1, 2]),), rows=1, shapes=shapes, seed=0)


def test_a_shape_for_no_input_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="no input 'b'; its inputs are a"):
        random_inputs((tensor("a", [1]),), rows=None, shapes={"b": (1,)}, seed=0)
