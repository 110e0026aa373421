"""What the protocol's extensions say of models, and what operators may do to them."""

from collections.abc import AsyncIterator

import grpc
import pytest
import pytest_asyncio
from fake_dataplane import RunningFrontend, running_frontend

from farm.core.errors import LoadFailedError
from farm.pb.farm_admin_pb2 import DescribeModelRequest, MeasureModelRequest
from farm.pb.model_config_pb2 import DataType
from farm.pb.open_inference_pb2 import (
    LogSettingsRequest,
    ModelConfigRequest,
    ModelReadyRequest,
    ModelStatisticsRequest,
    RepositoryIndexRequest,
    RepositoryModelLoadRequest,
    RepositoryModelUnloadRequest,
)


@pytest_asyncio.fixture
async def farm() -> AsyncIterator[RunningFrontend]:
    async with running_frontend() as running:
        yield running


async def test_a_config_is_completed_with_what_the_farm_found(farm: RunningFrontend) -> None:
    config = (await farm.call("ModelConfig", ModelConfigRequest(name="echo"))).config
    assert (config.name, config.platform, config.backend) == (
        "echo", "onnxruntime_onnx", "onnxruntime",
    )  # fmt: skip
    # What the author declared stays, but for what the nodes know better.
    assert config.parameters["farm.abi"].string_value == "2.1"
    assert config.max_batch_size == 8
    (x,) = config.input
    assert (x.name, x.data_type, list(x.dims)) == ("x", DataType.TYPE_UINT8, [2])
    assert [y.name for y in config.output] == ["y"]
    assert config.version_policy.latest.num_versions == 1
    assert config.HasField("dynamic_batching")


async def test_statistics_are_counts_and_nanoseconds(farm: RunningFrontend) -> None:
    response = await farm.call("ModelStatistics", ModelStatisticsRequest(name="echo"))
    (model,) = response.model_stats
    assert (model.name, model.version, model.inference_count) == ("echo", "2", 3)
    stats = model.inference_stats
    assert (stats.success.count, stats.success.ns) == (1, 500_000_000)
    assert (stats.fail.count, stats.fail.ns) == (1, 250_000_000)
    assert (stats.queue.count, stats.queue.ns) == (1, 1_500_000)
    assert (stats.cache_hit.count, stats.cache_miss.count) == (0, 0)


async def test_an_unknown_model_is_not_ready(farm: RunningFrontend) -> None:
    assert not (await farm.call("ModelReady", ModelReadyRequest(name="nobody"))).ready


async def test_the_index_lists_models(farm: RunningFrontend) -> None:
    response = await farm.call("RepositoryIndex", RepositoryIndexRequest(ready=True))
    (model,) = response.models
    assert (model.name, model.version, model.state) == ("echo", "2", "READY")


async def test_a_load_hands_on_config_and_files(farm: RunningFrontend) -> None:
    request = RepositoryModelLoadRequest(model_name="echo")
    request.parameters["config"].string_param = "{}"
    request.parameters["file:1/model.onnx"].bytes_param = b"onnx"
    await farm.call("RepositoryModelLoad", request)
    await farm.call("RepositoryModelLoad", RepositoryModelLoadRequest(model_name="plain"))
    unload = RepositoryModelUnloadRequest(model_name="echo")
    unload.parameters["unload_dependents"].bool_param = True
    await farm.call("RepositoryModelUnload", unload)
    assert farm.control.asked == [
        ("load", "echo", "{}", {"1/model.onnx": b"onnx"}),
        ("load", "plain", None, {}),
        ("unload", "echo", None, {}),
    ]


async def test_a_failed_load_says_why(farm: RunningFrontend) -> None:
    farm.control.error = LoadFailedError("model 'echo' was not loaded: it is a link")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await farm.call("RepositoryModelLoad", RepositoryModelLoadRequest(model_name="echo"))
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert caught.value.details() == "model 'echo' was not loaded: it is a link"


@pytest.mark.parametrize(
    ("name", "field", "status"),
    [
        ("config", "bytes_param", grpc.StatusCode.INVALID_ARGUMENT),
        ("file:1/model.onnx", "string_param", grpc.StatusCode.INVALID_ARGUMENT),
        ("colour", "string_param", grpc.StatusCode.INVALID_ARGUMENT),
    ],
)
async def test_parameters_of_a_load_are_checked(
    farm: RunningFrontend, name: str, field: str, status: grpc.StatusCode
) -> None:
    request = RepositoryModelLoadRequest(model_name="echo")
    setattr(request.parameters[name], field, b"x" if field == "bytes_param" else "x")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await farm.call("RepositoryModelLoad", request)
    assert caught.value.code() is status
    assert farm.control.asked == []


async def test_there_is_one_repository(farm: RunningFrontend) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await farm.call("RepositoryIndex", RepositoryIndexRequest(repository_name="second"))
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_log_settings_are_read_and_changed(farm: RunningFrontend) -> None:
    settings = (await farm.call("LogSettings")).settings
    assert settings["log_info"].bool_param
    assert settings["log_verbose_level"].uint32_param == 0
    request = LogSettingsRequest()
    request.settings["log_info"].bool_param = False
    request.settings["log_verbose_level"].uint32_param = 1
    settings = (await farm.call("LogSettings", request)).settings
    assert not settings["log_info"].bool_param
    assert settings["log_verbose_level"].uint32_param == 1


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("log_info", "string_param", "yes"),
        ("log_verbose_level", "bool_param", True),
        ("log_file", "string_param", "elsewhere.log"),
        ("log_colour", "bool_param", True),
    ],
)
async def test_wrong_log_settings_change_nothing(
    farm: RunningFrontend, name: str, field: str, value: object
) -> None:
    request = LogSettingsRequest()
    request.settings["log_warning"].bool_param = False
    setattr(request.settings[name], field, value)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await farm.call("LogSettings", request)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert (await farm.call("LogSettings")).settings["log_warning"].bool_param


async def test_a_model_is_described(farm: RunningFrontend) -> None:
    response = await farm.call("DescribeModel", DescribeModelRequest(name="echo"))
    (version,) = response.versions
    assert (version.snapshot.name, version.abi, version.ir_version) == ("echo", "2.1", 8)
    assert [(o.domain, o.version) for o in version.opsets] == [("", 17)]
    assert (version.runtime_floor, version.producer, version.operators) == ("1.14", "by hand", 4)
    assert version.inputs[0].preprocessing == "{}"
    assert list(version.outputs[0].labels) == ["cat", "dog"]
    (node,) = version.nodes
    assert [(p.rows, p.seconds) for p in node.curve] == [(1, 0.5), (2, 0.75)]


async def test_the_splits_of_a_model_are_described(farm: RunningFrontend) -> None:
    response = await farm.call("DescribeModel", DescribeModelRequest(name="echo"))
    (version,) = response.versions
    assert version.objective == "throughput"
    (node,) = version.nodes
    assert [(s.slots, s.threads, s.chosen) for s in node.splits] == [(2, 1, True), (1, 2, False)]
    assert [(p.rows, p.seconds) for p in node.splits[1].curve] == [(1, 0.4)]
    assert (node.measured_on, node.measured_unix_ns, node.stored) == ("pi-2", 5, True)
    assert (node.correction, node.HasField("speed")) == (1.5, False)


async def test_a_model_that_cannot_be_measured_says_so(farm: RunningFrontend) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await farm.call("MeasureModel", MeasureModelRequest(name="echo"))
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert "'echo' is not served now" in str(caught.value.details())
