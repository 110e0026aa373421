"""What a failed call means, from the farm's own code or from the bare status."""

import asyncio
from collections.abc import Callable
from threading import Event
from typing import Any, NoReturn

import grpc
import numpy as np
import pytest
from free_ports import free_address
from plain_server import Behaviour, plain_server

from farm.client import AdminClient, AsyncFarmClient, FarmClient, ModelMetadata, TensorMetadata
from farm.client.errors import to_farm_error
from farm.core.errors import (
    ErrorCode,
    FarmError,
    RequestCancelledError,
    UnreachableError,
    error_class,
)
from farm.core.tensors import Datatype
from farm.pb.model_config_pb2 import ModelConfig
from farm.pb.open_inference_pb2 import (
    ModelConfigResponse,
    ModelInferResponse,
    ModelMetadataResponse,
    ModelReadyResponse,
    ModelStatisticsResponse,
    ServerLiveResponse,
    ServerReadyResponse,
)

X = {"x": np.zeros((1, 2), np.float32)}


def refuse(status: grpc.StatusCode, details: str = "no", *trailers: tuple[str, str]) -> Behaviour:
    def behaviour(_: Any, context: grpc.ServicerContext) -> NoReturn:
        context.set_trailing_metadata(trailers)
        context.abort(status, details)

    return behaviour


def echo(request: Any, _: grpc.ServicerContext) -> ModelInferResponse:
    response = ModelInferResponse(
        model_name=request.model_name, model_version=request.model_version or "9", id=request.id
    )
    for tensor, content in zip(request.inputs, request.raw_input_contents, strict=True):
        response.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        response.raw_output_contents.append(content)
    return response


def sync_infer(address: str) -> object:
    with FarmClient(address, retries=0) as client:
        return client.infer("m", X, timeout_s=5)


@pytest.mark.parametrize("code", ErrorCode)
def test_the_farms_own_code_wins_over_the_status(code: ErrorCode) -> None:
    error = to_farm_error(
        grpc.StatusCode.UNAVAILABLE, "words", (("farm-error-code", str(code)),), "here:1"
    )
    assert type(error) is error_class(code)
    assert error.message == "words"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, ErrorCode.INVALID_REQUEST),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, ErrorCode.INVALID_REQUEST),
        (grpc.StatusCode.NOT_FOUND, ErrorCode.MODEL_NOT_FOUND),
        (grpc.StatusCode.FAILED_PRECONDITION, ErrorCode.LOAD_FAILED),
        (grpc.StatusCode.DEADLINE_EXCEEDED, ErrorCode.DEADLINE_EXCEEDED),
        (grpc.StatusCode.CANCELLED, ErrorCode.UNREACHABLE),
        (grpc.StatusCode.PERMISSION_DENIED, ErrorCode.PERMISSION_DENIED),
        (grpc.StatusCode.UNAUTHENTICATED, ErrorCode.UNAUTHENTICATED),
        (grpc.StatusCode.UNIMPLEMENTED, ErrorCode.UNSUPPORTED),
        (grpc.StatusCode.UNAVAILABLE, ErrorCode.UNREACHABLE),
        (grpc.StatusCode.INTERNAL, ErrorCode.INTERNAL),
        (grpc.StatusCode.UNKNOWN, ErrorCode.INTERNAL),
        (grpc.StatusCode.DATA_LOSS, ErrorCode.INTERNAL),
    ],
)
def test_a_bare_status_has_a_meaning(status: grpc.StatusCode, code: ErrorCode) -> None:
    assert to_farm_error(status, "words", (), "here:1").code is code


@pytest.mark.parametrize("unknown", ["invented_later", b"\xff"])
def test_a_code_from_the_future_falls_back_on_the_status(unknown: str | bytes) -> None:
    metadata = (("farm-error-code", unknown),)
    error = to_farm_error(grpc.StatusCode.NOT_FOUND, "words", metadata, "here:1")
    assert error.code is ErrorCode.MODEL_NOT_FOUND


def test_an_error_without_words_has_its_status_as_words() -> None:
    assert to_farm_error(grpc.StatusCode.INTERNAL, None, (), "here:1").message == "INTERNAL"


def test_an_unreachable_farm_is_named() -> None:
    address = free_address()
    with pytest.raises(UnreachableError, match=f"no answer from {address}.*`farm up`"):
        sync_infer(address)
    with AdminClient(address) as admin, pytest.raises(UnreachableError, match=address):
        admin.snapshot()
    with AdminClient(address) as admin, pytest.raises(UnreachableError, match=address):
        admin.version()


async def test_an_unreachable_farm_is_named_by_the_async_client_too() -> None:
    address = free_address()
    async with AsyncFarmClient(address, retries=0) as client:
        with pytest.raises(UnreachableError, match=address):
            await client.ready()


@pytest.mark.parametrize(
    ("behaviour", "code", "retry_after_s"),
    [
        pytest.param(
            refuse(
                grpc.StatusCode.UNAVAILABLE,
                "full",
                ("farm-error-code", "queue_full"),
                ("grpc-retry-pushback-ms", "250"),
            ),
            ErrorCode.QUEUE_FULL,
            0.25,
            id="a farm's refusal",
        ),
        pytest.param(
            refuse(grpc.StatusCode.NOT_FOUND), ErrorCode.MODEL_NOT_FOUND, None, id="bare status"
        ),
        pytest.param(
            refuse(grpc.StatusCode.UNAVAILABLE, "x", ("grpc-retry-pushback-ms", "1500")),
            ErrorCode.UNREACHABLE,
            1.5,
            id="another server that is busy",
        ),
    ],
)
async def test_both_clients_raise_what_the_server_meant(
    behaviour: Behaviour, code: ErrorCode, retry_after_s: float | None
) -> None:
    with plain_server({"ModelInfer": behaviour}) as address:
        with pytest.raises(FarmError) as of_sync:
            sync_infer(address)
        async with AsyncFarmClient(address, retries=0) as client:
            with pytest.raises(FarmError) as of_async:
                await client.infer("m", X, timeout_s=5)
    for caught in (of_sync, of_async):
        assert (caught.value.code, caught.value.retry_after_s) == (code, retry_after_s)


def test_a_method_that_a_server_lacks_is_unsupported() -> None:
    with plain_server({}) as address, pytest.raises(FarmError) as caught:
        sync_infer(address)
    assert caught.value.code is ErrorCode.UNSUPPORTED


def test_a_deadline_holds() -> None:
    def until_the_client_leaves(_: Any, context: grpc.ServicerContext) -> ModelInferResponse:
        gone = Event()
        context.add_callback(gone.set)
        assert gone.wait(10.0)
        return ModelInferResponse()

    with (
        plain_server({"ModelInfer": until_the_client_leaves}) as address,
        FarmClient(address) as client,
        pytest.raises(FarmError) as caught,
    ):
        client.infer("m", X, timeout_s=0.1)
    assert caught.value.code is ErrorCode.DEADLINE_EXCEEDED


async def test_both_clients_infer() -> None:
    with plain_server({"ModelInfer": echo}) as address:
        with FarmClient(address) as client:
            answer = client.infer("m", X, version="2", request_id="mine", timeout_s=5)
        async with AsyncFarmClient(address) as async_client:
            other = await async_client.infer("m", X, timeout_s=5)
    assert (answer.model, answer.version, answer.id) == ("m", "2", "mine")
    np.testing.assert_array_equal(answer["x"], X["x"])
    np.testing.assert_array_equal(other["x"], X["x"])


@pytest.mark.parametrize(
    ("pushback", "retry_after_s"), [("1500", 1.5), ("0", 0.0), ("-1", None), ("soon", None)]
)
def test_a_pushback_is_advice_only_if_it_says_when(
    pushback: str, retry_after_s: float | None
) -> None:
    metadata = (("farm-error-code", "queue_full"), ("grpc-retry-pushback-ms", pushback))
    error = to_farm_error(grpc.StatusCode.UNAVAILABLE, "full", metadata, "here:1")
    assert error.retry_after_s == retry_after_s


async def test_a_closed_client_says_so() -> None:
    client = FarmClient("127.0.0.1:9")
    client.close()
    client.close()
    with pytest.raises(RequestCancelledError, match="client is closed"):
        client.ready()
    with pytest.raises(RequestCancelledError, match="client is closed"):
        next(client.stream("m", [X]))
    async_client = AsyncFarmClient("127.0.0.1:9")
    await async_client.close()
    await async_client.close()
    with pytest.raises(RequestCancelledError, match="client is closed"):
        await async_client.ready()
    with pytest.raises(RequestCancelledError, match="client is closed"):
        await anext(async_client.stream("m", [X]))


async def test_closing_a_client_ends_its_calls_with_an_error() -> None:
    arrived = asyncio.Event()
    loop = asyncio.get_running_loop()

    def until_the_client_leaves(_: Any, context: grpc.ServicerContext) -> Any:
        gone = Event()
        context.add_callback(gone.set)
        loop.call_soon_threadsafe(arrived.set)
        assert gone.wait(10.0)
        return ModelInferResponse()

    def stream(requests: Any, context: grpc.ServicerContext) -> Any:
        yield until_the_client_leaves(requests, context)

    with plain_server({"ModelInfer": until_the_client_leaves, "ModelStreamInfer": stream}) as at:
        for stream_it in (False, True):
            for blocking in (False, True):
                arrived.clear()
                client: Any = FarmClient(at) if blocking else AsyncFarmClient(at)
                if blocking and stream_it:
                    call = asyncio.to_thread(list, client.stream("m", [X]))
                elif blocking:
                    call = asyncio.to_thread(client.infer, "m", X)
                elif stream_it:
                    call = anext(client.stream("m", [X]))
                else:
                    call = client.infer("m", X)
                task = asyncio.ensure_future(call)
                async with asyncio.timeout(10.0):
                    await arrived.wait()
                    if blocking:
                        client.close()
                    else:
                        await client.close()
                    with pytest.raises(RequestCancelledError):
                        await task


async def test_clients_ask_for_health_and_what_a_model_is() -> None:
    metadata = ModelMetadataResponse(name="m", versions=["1", "2"], platform="onnx")
    metadata.inputs.add(name="x", datatype="FP16", shape=[-1, 3])
    metadata.outputs.add(name="y", datatype="BYTES", shape=[1])
    config = ModelConfigResponse(config=ModelConfig(name="m", max_batch_size=8))
    statistics = ModelStatisticsResponse()
    statistics.model_stats.add(name="m", version="2", inference_count=5)
    expected = ModelMetadata(
        name="m",
        versions=("1", "2"),
        platform="onnx",
        inputs=(TensorMetadata(name="x", datatype=Datatype.FP16, shape=(-1, 3)),),
        outputs=(TensorMetadata(name="y", datatype=Datatype.BYTES, shape=(1,)),),
    )
    behaviours: dict[str, Callable[..., Any]] = {
        "ServerLive": lambda *_: ServerLiveResponse(live=True),
        "ModelConfig": lambda *_: config,
        "ModelStatistics": lambda *_: statistics,
        "ServerReady": lambda *_: ServerReadyResponse(ready=True),
        "ModelReady": lambda request, _: ModelReadyResponse(ready=request.version == "1"),
        "ModelMetadata": lambda *_: metadata,
    }
    with plain_server(behaviours) as address:
        with FarmClient(address) as client:
            assert client.live()
            assert client.ready()
            assert client.model_ready("m", "1")
            assert not client.model_ready("m", "2")
            assert client.metadata("m") == expected
            assert client.config("m").max_batch_size == 8
            assert [stats.inference_count for stats in client.statistics("m")] == [5]
        async with AsyncFarmClient(address) as async_client:
            assert await async_client.live()
            assert await async_client.ready()
            assert not await async_client.model_ready("m", "2")
            assert await async_client.metadata("m") == expected
            assert (await async_client.config("m")).max_batch_size == 8
            assert [s.version for s in await async_client.statistics()] == ["2"]


def test_a_datatype_from_the_future_is_named() -> None:
    metadata = ModelMetadataResponse(name="m")
    metadata.inputs.add(name="x", datatype="FP8", shape=[1])
    with (
        plain_server({"ModelMetadata": lambda *_: metadata}) as address,
        FarmClient(address) as client,
        pytest.raises(FarmError, match="tensor 'x' has datatype 'FP8'"),
    ):
        client.metadata("m")
