"""What a model declares of its inputs: where it is found, and that all read it alike."""

import io
import json
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from PIL import Image
from plain_server import plain_server

from farm.client import FarmClient, TensorMetadata
from farm.client.inputs.declarations import declared_preprocessing
from farm.client.inputs.named_files import InputFile, read_inputs
from farm.core.errors import ConfigurationError, FarmError, UnsupportedError
from farm.core.tensors import Datatype
from farm.pb.farm_admin_pb2 import DescribeModelResponse
from farm.pb.open_inference_pb2 import ModelConfigResponse
from farm.repository.preprocessing import preprocessing_json


def refuse(status: grpc.StatusCode) -> Callable[..., Any]:
    return lambda _, context: context.abort(status, "no")


def declared(behaviours: dict[str, Any], name: str = "image") -> str:
    with plain_server(behaviours) as address, FarmClient(address, retries=0) as client:
        return declared_preprocessing(client, "m", "", name)


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


# -- one grammar ----------------------------------------------------------------------

LEAST: dict[str, Any] = {"layout": "NCHW", "height": 2, "width": 2, "channels": 3}


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in LEAST.items() if name != key}


def the_farm_takes(text: str) -> bool:
    try:
        preprocessing_json(text, where="parameters['farm.preprocessing.image']")
    except ConfigurationError:
        return False
    return True


def the_client_takes(text: str) -> bool:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4)).save(buffer, "PNG")
    image = TensorMetadata(name="image", datatype=Datatype.FP32, shape=(-1, -1, -1, -1))
    files = [InputFile(content=buffer.getvalue(), shown="a.png")]
    try:
        read_inputs(files, [image], preprocessing=lambda _: text)
    except UnsupportedError as error:
        assert "input 'image' cannot be applied: " in error.message
        return False
    return True


@pytest.mark.parametrize(
    ("declaration", "taken"),
    [
        (LEAST, True),
        (LEAST | {"mean": [1, 2, 3], "std": [0.5, 1, 2]}, True),
        (LEAST | {"channels": 1, "std": [2]}, True),
        (without("layout"), False),
        (without("channels"), False),
        (without("height"), False),
        (LEAST | {"mean": 0.5}, False),
        (LEAST | {"mean": [0.5]}, False),
        (LEAST | {"std": [-1, -1, -1]}, False),
        (LEAST | {"std": [1, 0, 1]}, False),
        (LEAST | {"order": None}, False),
        (LEAST | {"gamma": 2.2}, False),
        (json.dumps(LEAST)[:-1] + ', "layout": "NHWC"}', False),
        ("[" * 100_000, False),
        ("{}", False),
    ],
)
def test_the_repository_and_the_client_take_the_same(declaration: Any, taken: bool) -> None:
    text = declaration if isinstance(declaration, str) else json.dumps(declaration)
    assert the_farm_takes(text) is taken
    assert the_client_takes(text) is taken
