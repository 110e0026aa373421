"""What tritonclient asks before it sends anything: health, metadata, config."""

import json
from collections.abc import Iterator

import pytest
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from farm_process import FarmProcess
from served_models import SAMPLES
from tritonclient.grpc import model_config_pb2
from tritonclient.utils import InferenceServerException

pytestmark = pytest.mark.integration

# Advertised means that it works: shared memory, traces and sequences do not.
UNSUPPORTED = ("shared_memory", "trace", "sequence", "cuda", "logging_to_file")


@pytest.fixture(scope="module")
def client(samples: FarmProcess) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(samples.grpc) as opened:
        yield opened


def test_health(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    for name in SAMPLES:
        assert client.is_model_ready(name)
        assert client.is_model_ready(name, "1")
    assert not client.is_model_ready("simple", "7")
    assert not client.is_model_ready("nobody")


def test_server_metadata_advertises_what_works(client: triton.InferenceServerClient) -> None:
    metadata = client.get_server_metadata()
    assert metadata.name == "bramble-farm"
    assert metadata.version
    wanted = {"classification", "model_repository", "model_configuration", "statistics"}
    assert wanted <= set(metadata.extensions)
    for extension in metadata.extensions:
        assert not any(word in extension for word in UNSUPPORTED), extension


@pytest.mark.parametrize(
    ("name", "datatype", "columns"),
    [("simple", "INT32", 16), ("simple_string", "BYTES", 16), ("simple_identity", "BYTES", -1)],
)
def test_metadata_has_the_batch_dimension(
    client: triton.InferenceServerClient, name: str, datatype: str, columns: int
) -> None:
    metadata = client.get_model_metadata(name)
    assert metadata.name == name
    assert list(metadata.versions) == ["1"]
    assert metadata.platform == "onnxruntime_onnx"
    tensors = [*metadata.inputs, *metadata.outputs]
    assert {(t.datatype, tuple(t.shape)) for t in tensors} == {(datatype, (-1, columns))}
    count = 1 if name == "simple_identity" else 2
    assert [t.name for t in tensors] == [
        *(f"INPUT{i}" for i in range(count)),
        *(f"OUTPUT{i}" for i in range(count)),
    ]


def test_metadata_shows_the_shapes_of_requests_not_of_the_model(
    client: triton.InferenceServerClient,
) -> None:
    metadata = client.get_model_metadata("named_digits")
    assert [(o.name, list(o.shape)) for o in metadata.outputs] == [
        ("probabilities", [-1, 10]),
        ("label", [-1, 1]),
    ]


def test_config_is_the_one_in_the_repository(client: triton.InferenceServerClient) -> None:
    config = client.get_model_config("simple").config
    assert config.name == "simple"
    assert config.platform == "onnxruntime_onnx"
    assert config.max_batch_size == 8
    assert [(i.name, i.data_type, list(i.dims)) for i in config.input] == [
        (name, model_config_pb2.TYPE_INT32, [16]) for name in ("INPUT0", "INPUT1")
    ]
    assert [(o.name, o.data_type, list(o.dims)) for o in config.output] == [
        (name, model_config_pb2.TYPE_INT32, [16]) for name in ("OUTPUT0", "OUTPUT1")
    ]
    slow = client.get_model_config("slow").config
    assert slow.dynamic_batching.priority_levels == 2
    assert slow.dynamic_batching.default_priority_level == 2


def test_config_of_a_model_without_one_is_derived(client: triton.InferenceServerClient) -> None:
    config = client.get_model_config("digits").config
    assert config.name == "digits"
    assert config.max_batch_size > 1
    assert [(i.name, i.data_type, list(i.dims)) for i in config.input] == [
        ("image", model_config_pb2.TYPE_FP32, [1, 8, 8])
    ]
    assert [o.name for o in config.output] == ["probabilities", "label"]


def test_config_as_json(client: triton.InferenceServerClient) -> None:
    config = client.get_model_config("simple_string", "1", as_json=True)["config"]
    assert config["max_batch_size"] == 8
    assert config["input"][0]["data_type"] == "TYPE_STRING"
    assert json.dumps(config)


@pytest.mark.parametrize("version", ["", "1"])
def test_descriptions_of_unknown_models_are_not_found(
    client: triton.InferenceServerClient, version: str
) -> None:
    for ask in (
        client.get_model_metadata,
        client.get_model_config,
        client.get_inference_statistics,
    ):
        with pytest.raises(InferenceServerException) as caught:
            ask("nobody", version)
        assert caught.value.status() == "StatusCode.NOT_FOUND"
        assert "'nobody'" in caught.value.message()


async def test_the_aio_client_is_told_the_same(samples: FarmProcess) -> None:
    async with triton_aio.InferenceServerClient(samples.grpc) as client:
        assert await client.is_server_live()
        assert await client.is_server_ready()
        assert await client.is_model_ready("simple")
        assert (await client.get_server_metadata()).name == "bramble-farm"
        metadata = await client.get_model_metadata("simple", as_json=True)
        assert [i["name"] for i in metadata["inputs"]] == ["INPUT0", "INPUT1"]
        assert (await client.get_model_config("simple")).config.max_batch_size == 8
        index = await client.get_model_repository_index()
        assert {model.name for model in index.models} >= set(SAMPLES)


def test_log_settings_are_shown_and_can_be_changed(client: triton.InferenceServerClient) -> None:
    before = client.get_log_settings(as_json=True)["settings"]
    assert "log_verbose_level" in before
    changed = client.update_log_settings({"log_verbose_level": 1}, as_json=True)["settings"]
    assert changed["log_verbose_level"]["uint32_param"] == 1
    back = client.update_log_settings({"log_verbose_level": 0}, as_json=True)["settings"]
    assert back["log_verbose_level"]["uint32_param"] == 0
    with pytest.raises(InferenceServerException) as caught:
        client.update_log_settings({"log_colour": True})
    assert caught.value.status() == "StatusCode.INVALID_ARGUMENT"
    assert "log_colour" in caught.value.message()
