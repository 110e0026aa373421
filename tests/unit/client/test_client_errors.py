"""What a failed call means, from the farm's own code or from the bare status."""

import socket
from collections.abc import Callable
from typing import Any, NoReturn

import grpc
import numpy as np
import pytest
from plain_server import Behaviour, plain_server

from farm.client import AdminClient, AsyncFarmClient, FarmClient
from farm.client.errors import to_farm_error
from farm.core.errors import ErrorCode, FarmError, UnreachableError, error_class
from farm.core.tensors import Datatype
from farm.pb.farm_admin_pb2 import FarmSnapshot, VersionResponse
from farm.pb.open_inference_pb2 import (
    ModelInferResponse,
    ModelMetadataResponse,
    ModelReadyResponse,
    ServerReadyResponse,
)

X = {"x": np.zeros((1, 2), np.float32)}


def refuse(status: grpc.StatusCode, details: str = "no", *trailers: tuple[str, str]) -> Behaviour:
    def behaviour(_: Any, context: grpc.ServicerContext) -> NoReturn:
        context.set_trailing_metadata(trailers)
        context.abort(status, details)

    return behaviour


def unused_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


def echo(request: Any, _: grpc.ServicerContext) -> ModelInferResponse:
    response = ModelInferResponse(
        model_name=request.model_name, model_version=request.model_version or "9", id=request.id
    )
    for tensor, content in zip(request.inputs, request.raw_input_contents, strict=True):
        response.outputs.add(name=tensor.name, datatype=tensor.datatype, shape=tensor.shape)
        response.raw_output_contents.append(content)
    return response


def sync_infer(address: str) -> object:
    with FarmClient(address) as client:
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
        (grpc.StatusCode.DEADLINE_EXCEEDED, ErrorCode.DEADLINE_EXCEEDED),
        (grpc.StatusCode.CANCELLED, ErrorCode.CANCELLED),
        (grpc.StatusCode.PERMISSION_DENIED, ErrorCode.PERMISSION_DENIED),
        (grpc.StatusCode.UNAUTHENTICATED, ErrorCode.PERMISSION_DENIED),
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
    address = unused_address()
    with pytest.raises(UnreachableError, match=f"no answer from {address}.*`farm up`"):
        sync_infer(address)
    with AdminClient(address) as admin, pytest.raises(UnreachableError, match=address):
        admin.snapshot()
    with AdminClient(address) as admin, pytest.raises(UnreachableError, match=address):
        admin.version()


async def test_an_unreachable_farm_is_named_by_the_async_client_too() -> None:
    address = unused_address()
    async with AsyncFarmClient(address) as client:
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
        async with AsyncFarmClient(address) as client:
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
        from threading import Event

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


async def test_clients_ask_for_readiness_and_types() -> None:
    metadata = ModelMetadataResponse(name="m")
    metadata.inputs.add(name="x", datatype="FP16", shape=[-1])
    behaviours: dict[str, Callable[..., Any]] = {
        "ServerReady": lambda *_: ServerReadyResponse(ready=True),
        "ModelReady": lambda request, _: ModelReadyResponse(ready=request.version == "1"),
        "ModelMetadata": lambda *_: metadata,
    }
    with plain_server(behaviours) as address:
        with FarmClient(address) as client:
            assert client.ready()
            assert client.model_ready("m", "1")
            assert not client.model_ready("m", "2")
            assert client.input_datatypes("m") == {"x": Datatype.FP16}
        async with AsyncFarmClient(address) as async_client:
            assert await async_client.ready()


def test_operators_watch_until_the_gateway_goes_away() -> None:
    def three(request: Any, context: grpc.ServicerContext) -> Any:
        for number in range(3):
            yield FarmSnapshot(taken_unix_ns=number)
        if request.interval_ns:
            context.abort(grpc.StatusCode.UNAVAILABLE, "draining")

    version = VersionResponse(farm_version="9.9", protocol=1)
    with (
        plain_server({"WatchSnapshots": three, "Version": lambda *_: version}) as address,
        AdminClient(address) as admin,
    ):
        assert admin.version().farm_version == "9.9"
        assert admin.snapshot().taken_unix_ns == 0
        watch = admin.watch(0.05)
        assert [next(watch).taken_unix_ns for _ in range(3)] == [0, 1, 2]
        with pytest.raises(UnreachableError):
            next(watch)
