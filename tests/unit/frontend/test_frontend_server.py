"""A real gRPC server: what clients see, whatever they send and whatever fails."""

import asyncio
import resource
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import grpc
import numpy as np
import pytest
import pytest_asyncio
from fake_dataplane import (
    METHODS,
    FakeDataPlane,
    RunningFrontend,
    echo,
    make_frontend,
    running_frontend,
)
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from farm import __version__
from farm.client import AsyncFarmClient, FarmClient
from farm.client.operations import of_details
from farm.core.errors import (
    ConfigurationError,
    ErrorCode,
    QueueFullError,
    error_class,
)
from farm.engine.dataplane import InferenceCall, InferenceResult
from farm.frontend.inference_service import EXTENSIONS
from farm.frontend.server import check_free, connections_within
from farm.frontend.status import STATUS
from farm.pb.farm_admin_pb2 import DescribeNodeRequest, NodeActionRequest, WatchSnapshotsRequest
from farm.pb.open_inference_pb2 import (
    ModelInferRequest,
    ModelMetadataRequest,
    ModelReadyRequest,
)
from farm.pb.services import ADMIN_SERVICE, INFERENCE_SERVICE

WAIT_S = 10.0
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest_asyncio.fixture
async def farm() -> AsyncIterator[RunningFrontend]:
    async with running_frontend() as running:
        yield running


def request(raw: bytes = b"ab", **fields: Any) -> ModelInferRequest:
    message = ModelInferRequest(model_name="echo", **fields)
    message.inputs.add(name="x", datatype="UINT8", shape=[1, len(raw)])
    message.raw_input_contents.append(raw)
    return message


async def refused(awaitable: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asyncio.wait_for(awaitable, WAIT_S)
    return caught.value


def trailers(error: grpc.aio.AioRpcError) -> dict[str, str | bytes]:
    return dict(error.trailing_metadata() or ())


# -- inference ------------------------------------------------------------------------


async def test_a_request_is_answered(farm: RunningFrontend) -> None:
    response = await farm.call("ModelInfer", request(b"xyz", id="mine"), timeout=5)
    assert (response.id, list(response.raw_output_contents)) == ("mine", [b"xyz"])
    assert response.parameters["farm_node"].string_param == "pi-1"
    (call,) = farm.dataplane.calls
    assert call.timeout_s is not None
    # gRPC's clock may show a hair more than the client asked for.
    assert 4 < call.timeout_s <= 5.1


async def test_a_connection_of_this_machine_is_a_client_unary_or_streamed(
    farm: RunningFrontend,
) -> None:
    unary, streamed = (
        f"/{INFERENCE_SERVICE}/{name}" for name in ("ModelInfer", "ModelStreamInfer")
    )
    raw = request().SerializeToString()
    await farm.channel.unary_unary(unary)(raw)
    async for _ in farm.channel.stream_stream(streamed)(iter([raw])):
        pass
    options = [("grpc.use_local_subchannel_pool", 1)]
    async with grpc.aio.insecure_channel(farm.address, options=options) as another:
        await another.unary_unary(unary)(raw)
    first, same, other = (call.client for call in farm.dataplane.calls)
    assert first == same != other
    assert first.startswith("ipv4:127.0.0.1:")


@pytest.mark.parametrize("traced", [False, True])
async def test_where_requests_are_traced_a_call_says_of_which_trace_it_is(traced: bool) -> None:
    header = f"00-{'a' * 32}-{'b' * 16}-01"
    async with running_frontend(traced=traced) as farm:
        unary, streamed = (
            f"/{INFERENCE_SERVICE}/{name}" for name in ("ModelInfer", "ModelStreamInfer")
        )
        raw = request(id="mine").SerializeToString()
        metadata = (("other", "x"), ("traceparent", header))
        await farm.channel.unary_unary(unary)(raw, metadata=metadata)
        async for _ in farm.channel.stream_stream(streamed)(iter([raw]), metadata=metadata):
            pass
        await farm.channel.unary_unary(unary)(raw)
        inputs = {"x": np.zeros((1, 2), np.uint8)}
        async with AsyncFarmClient(farm.address) as client:
            await client.infer("echo", inputs, request_id="mine", trace_parent=header)
        with FarmClient(farm.address) as blocking:
            await asyncio.to_thread(
                blocking.infer, "echo", inputs, request_id="mine", trace_parent=header
            )
        wanted = header if traced else ""
        told = [call.trace_parent for call in farm.dataplane.calls]
        assert told == [wanted, wanted, "", wanted, wanted]
        assert {call.given_id for call in farm.dataplane.calls} == {"mine"}


async def test_a_request_without_a_deadline_has_none(farm: RunningFrontend) -> None:
    await farm.call("ModelInfer", request())
    assert farm.dataplane.calls[0].timeout_s is None


async def test_the_server_and_its_models_describe_themselves(farm: RunningFrontend) -> None:
    assert (await farm.call("ServerLive")).live
    assert (await farm.call("ServerReady")).ready
    server = await farm.call("ServerMetadata")
    assert (server.name, server.version, list(server.extensions)) == (
        "bramble-farm", __version__, list(EXTENSIONS),
    )  # fmt: skip
    assert (await farm.call("ModelReady", ModelReadyRequest(name="echo"))).ready
    metadata = await farm.call("ModelMetadata", ModelMetadataRequest(name="echo"))
    assert list(metadata.versions) == ["1", "2"]
    farm.dataplane.ready = False
    assert not (await farm.call("ServerReady")).ready
    assert (await farm.call("ServerLive")).live


@pytest.mark.parametrize("code", ErrorCode)
async def test_the_farms_errors_keep_their_words_and_code(
    farm: RunningFrontend, code: ErrorCode
) -> None:
    farm.dataplane.fails_with(error_class(code)("it is like this — do that"))
    error = await refused(farm.call("ModelInfer", request()))
    assert error.code() is STATUS[code]
    assert error.details() == "it is like this — do that"
    assert trailers(error)["farm-error-code"] == code
    assert "grpc-retry-pushback-ms" not in trailers(error)


async def test_pushback_goes_with_the_error(farm: RunningFrontend) -> None:
    farm.dataplane.fails_with(QueueFullError("full", retry_after_s=0.25))
    error = await refused(farm.call("ModelInfer", request()))
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert trailers(error)["grpc-retry-pushback-ms"] == "250"


@pytest.mark.parametrize("secret", [ValueError("the secret"), KeyError("the secret")])
async def test_nobody_sees_the_text_of_an_unexpected_exception(
    farm: RunningFrontend, secret: Exception
) -> None:
    farm.dataplane.fails_with(secret)
    error = await refused(farm.call("ModelInfer", request()))
    assert error.code() is grpc.StatusCode.INTERNAL
    assert "secret" not in (error.details() or "")
    assert "its log has the details under" in (error.details() or "")
    assert trailers(error)["farm-error-code"] == ErrorCode.INTERNAL


async def test_the_log_has_what_the_client_does_not_see(
    farm: RunningFrontend, capsys: pytest.CaptureFixture[str]
) -> None:
    farm.dataplane.fails_with(ValueError("the secret"))
    error = await refused(farm.call("ModelInfer", request()))
    reference = (error.details() or "").split()[-1]
    logged = "".join(capsys.readouterr())
    assert reference in logged
    assert "the secret" in logged


async def test_a_client_that_leaves_cancels_its_request(farm: RunningFrontend) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def forever(_: InferenceCall) -> InferenceResult:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.set()
            raise
        raise AssertionError

    farm.dataplane.behaviour = forever
    caller = asyncio.create_task(farm.call("ModelInfer", request()))
    await asyncio.wait_for(begun.wait(), WAIT_S)
    caller.cancel()
    await asyncio.wait_for(ended.wait(), WAIT_S)


# -- what clients may send ------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        METHODS["ModelInfer"].path,
        METHODS["ServerLive"].path,
        METHODS["Version"].path,
        "/grpc.health.v1.Health/Check",
    ],
)
async def test_bytes_that_do_not_parse_are_the_clients_fault(
    farm: RunningFrontend, path: str
) -> None:
    error = await refused(farm.send_bytes(path, b"\xff\xff\xff\xff"))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "not a valid request" in (error.details() or "")
    assert "Exception" not in (error.details() or "")


@pytest.mark.parametrize("name", ["WatchSnapshots", "health watch"])
async def test_streams_refuse_bytes_that_do_not_parse(farm: RunningFrontend, name: str) -> None:
    path = "/grpc.health.v1.Health/Watch" if name == "health watch" else METHODS[name].path
    stream = farm.channel.unary_stream(path)(b"\xff\xff\xff\xff")
    error = await refused(stream.read())
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    "path",
    [
        f"/{INFERENCE_SERVICE}/NoSuchMethod",
        f"/{INFERENCE_SERVICE}/SystemSharedMemoryStatus",
        f"/{INFERENCE_SERVICE}/CudaSharedMemoryRegister",
        f"/{INFERENCE_SERVICE}/TraceSetting",
        "/nobody.Knows/Me",
    ],
)
async def test_methods_that_are_not_there_are_unimplemented(
    farm: RunningFrontend, path: str
) -> None:
    assert (await refused(farm.send_bytes(path, b""))).code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_message_beyond_the_bound_is_refused(farm: RunningFrontend) -> None:
    error = await refused(farm.call("ModelInfer", request(bytes(2 << 20))))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert farm.dataplane.calls == []


async def test_an_answer_may_be_larger_than_a_request(farm: RunningFrontend) -> None:
    async def large(call: InferenceCall) -> InferenceResult:
        answered = await echo(call)
        (y,) = answered.outputs
        return replace(answered, outputs=(replace(y, raw=bytes(8 << 20)),))

    farm.dataplane.behaviour = large
    response = await farm.call("ModelInfer", request())
    assert len(response.raw_output_contents[0]) == 8 << 20


async def test_a_converters_refusal_reaches_the_client(farm: RunningFrontend) -> None:
    message = request()
    message.inputs[0].datatype = "FLOAT"
    error = await refused(farm.call("ModelInfer", message))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "'FLOAT'" in (error.details() or "")


@pytest.mark.parametrize("field", ["model", "input"])
async def test_a_very_long_name_does_not_change_the_status(
    farm: RunningFrontend, field: str
) -> None:
    name = "n" * 20_000
    if field == "model":
        error = await refused(farm.call("ModelMetadata", ModelMetadataRequest(name=name)))
        assert error.code() is grpc.StatusCode.NOT_FOUND
    else:
        message = request()
        message.inputs[0].name = name
        message.inputs[0].datatype = "FLOAT"
        error = await refused(farm.call("ModelInfer", message))
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


# -- what is counted ------------------------------------------------------------------


async def test_garbage_counts_once(farm: RunningFrontend) -> None:
    await refused(farm.send_bytes(METHODS["ModelInfer"].path, b"\xff\xff\xff\xff"))
    assert farm.errors == [ErrorCode.INVALID_REQUEST]


async def test_a_converters_refusal_counts_once_and_is_told_with_its_id(
    farm: RunningFrontend,
) -> None:
    message = request(id="order 66")
    message.parameters["sequence_id"].int64_param = 1
    await refused(farm.call("ModelInfer", message))
    assert farm.errors == [ErrorCode.UNSUPPORTED]
    assert farm.dataplane.refused == [("order 66", "echo", ErrorCode.UNSUPPORTED)]


async def test_an_unknown_model_counts_once(farm: RunningFrontend) -> None:
    await refused(farm.call("ModelMetadata", ModelMetadataRequest(name="nope")))
    assert farm.errors == [ErrorCode.MODEL_NOT_FOUND]


@pytest.mark.parametrize("code", ErrorCode)
async def test_an_error_of_the_farm_counts_once(farm: RunningFrontend, code: ErrorCode) -> None:
    farm.dataplane.fails_with(error_class(code)("it is like this"))
    await refused(farm.call("ModelInfer", request()))
    assert farm.errors == [code]


async def test_a_defect_counts_once(farm: RunningFrontend) -> None:
    farm.dataplane.fails_with(ValueError("the secret"))
    await refused(farm.call("ModelInfer", request()))
    assert farm.errors == [ErrorCode.INTERNAL]


async def test_a_stream_that_fails_counts_once(farm: RunningFrontend) -> None:
    raw = WatchSnapshotsRequest(interval_ns=-1).SerializeToString()
    await refused(farm.channel.unary_stream(METHODS["WatchSnapshots"].path)(raw).read())
    assert farm.errors == [ErrorCode.INVALID_REQUEST]


async def test_an_answer_counts_nothing(farm: RunningFrontend) -> None:
    await farm.call("ModelInfer", request())
    await farm.call("ServerLive")
    assert farm.errors == []


# -- health and reflection ------------------------------------------------------------


async def test_health_follows_what_it_is_told(farm: RunningFrontend) -> None:
    stub = health_pb2_grpc.HealthStub(farm.channel)
    for service in ("", INFERENCE_SERVICE, ADMIN_SERVICE):
        check = health_pb2.HealthCheckRequest(service=service)
        farm.frontend.set_serving(False)
        assert (await stub.Check(check)).status == NOT_SERVING
        farm.frontend.set_serving(True)
        assert (await stub.Check(check)).status == SERVING
    error = await refused(stub.Check(health_pb2.HealthCheckRequest(service="unknown")))
    assert error.code() is grpc.StatusCode.NOT_FOUND


async def test_health_can_be_watched_through_a_drain(farm: RunningFrontend) -> None:
    stub = health_pb2_grpc.HealthStub(farm.channel)
    watch = stub.Watch(health_pb2.HealthCheckRequest(service=""))

    async def next_status() -> int:
        return (await asyncio.wait_for(watch.read(), WAIT_S)).status  # type: ignore[no-any-return]

    assert await next_status() == NOT_SERVING
    farm.frontend.set_serving(True)
    assert await next_status() == SERVING
    farm.frontend.begin_drain()
    assert await next_status() == NOT_SERVING
    farm.frontend.set_serving(True)
    again = await stub.Check(health_pb2.HealthCheckRequest(service=""))
    assert again.status == NOT_SERVING
    watch.cancel()


async def reflect(farm: RunningFrontend, **question: Any) -> Any:
    stub = reflection_pb2_grpc.ServerReflectionStub(farm.channel)
    stream = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(**question)]))
    return await asyncio.wait_for(stream.read(), WAIT_S)


SERVICES = {
    INFERENCE_SERVICE,
    ADMIN_SERVICE,
    "grpc.health.v1.Health",
    "grpc.reflection.v1alpha.ServerReflection",
}


async def test_reflection_lists_every_service(farm: RunningFrontend) -> None:
    answer = await reflect(farm, list_services="")
    assert {service.name for service in answer.list_services_response.service} == SERVICES


@pytest.mark.parametrize("service", sorted(SERVICES))
async def test_reflection_resolves_every_service(farm: RunningFrontend, service: str) -> None:
    answer = await reflect(farm, file_containing_symbol=service)
    pool = descriptor_pool.DescriptorPool()
    files = [
        FileDescriptorProto.FromString(raw)
        for raw in answer.file_descriptor_response.file_descriptor_proto
    ]
    for file in reversed(files):
        pool.Add(file)
    described = pool.FindServiceByName(service)
    assert described.full_name == service
    assert len(described.methods) >= 1


async def test_reflection_refuses_bytes_that_do_not_parse(farm: RunningFrontend) -> None:
    path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
    stream = farm.channel.stream_stream(path)(iter([b"\xff\xff\xff\xff"]))
    error = await refused(stream.read())
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT


# -- admin ----------------------------------------------------------------------------


async def test_operators_see_the_farm(farm: RunningFrontend) -> None:
    version = await farm.call("Version")
    assert (version.farm_version, version.protocol, version.farm_name) == (
        __version__, 1, "test farm",
    )  # fmt: skip
    method = METHODS["WatchSnapshots"]
    watch = farm.channel.unary_stream(
        method.path,
        request_serializer=method.request_type.SerializeToString,
        response_deserializer=method.response_type.FromString,
    )
    seen = [snapshot async for snapshot in watch(WatchSnapshotsRequest(interval_ns=0))]
    assert len(seen) == 1
    heard, silent = seen[0].nodes
    assert (heard.node_id, heard.state, heard.slots_busy, heard.slots) == ("pi-1", "ready", 1, 2)
    assert heard.temperature_c == 51.5
    assert not heard.HasField("clock_hz")
    assert heard.heartbeat_age_ns == 250_000_000
    assert (heard.throttle_flags, heard.speed) == (0x50004, 0.75)
    assert (heard.cordoned, heard.inflight_batches) == (False, 2)
    assert (silent.state, silent.incarnation, silent.cordoned) == ("joining", "", True)
    assert not silent.HasField("throttle_flags")
    assert not silent.HasField("temperature_c")
    (model,) = seen[0].models
    assert (model.name, model.version, model.state, list(model.ready_nodes)) == (
        "echo", 2, "ready", ["pi-1"],
    )  # fmt: skip
    assert (seen[0].queued_requests, seen[0].inflight_batches) == (5, 3)
    stream = watch(WatchSnapshotsRequest(interval_ns=50_000_000))
    for _ in range(2):
        assert (await asyncio.wait_for(stream.read(), WAIT_S)).farm_name == "test farm"
    stream.cancel()
    for interval_ns in (1, 49_999_999, -1):
        error = await refused(watch(WatchSnapshotsRequest(interval_ns=interval_ns)).read())
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "interval_ns" in (error.details() or "")


async def test_operators_take_nodes_out_and_put_them_back(farm: RunningFrontend) -> None:
    for action in ("cordon", "uncordon"):
        request = NodeActionRequest(node_id="pi-1", action=action)
        assert (await farm.call("NodeAction", request)).node.node_id == "pi-1"
    assert farm.cordons.drawn == [("pi-1", True), ("pi-1", False)]
    error = await refused(
        farm.call("NodeAction", NodeActionRequest(node_id="pi-2", action="cordon"))
    )
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    error = await refused(farm.call("NodeAction", NodeActionRequest(node_id="pi-1", action="fly")))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details() == "action must be one of cordon, uncordon, restart, not 'fly'"


async def test_operators_restart_a_node_and_are_told_of_it_in_events(farm: RunningFrontend) -> None:
    await farm.call("NodeAction", NodeActionRequest(node_id="pi-1", action="restart"))
    assert farm.cordons.restarted == ["pi-1"]


async def test_a_node_in_depth(farm: RunningFrontend) -> None:
    message = await farm.call("DescribeNode", DescribeNodeRequest(node_id="pi-1"))
    details = of_details(message)
    assert details.node.node_id == "pi-1"
    assert [(batch.rows, batch.age_s, batch.running) for batch in details.batches] == [
        (8, 0.25, True)
    ]
    (model,) = details.models
    assert model.ready
    assert model.curve is not None
    assert model.correction == 1.5
    assert [(failed.code, failed.message) for failed in details.failures] == [
        ("INTERNAL", "it broke")
    ]


# -- ports ----------------------------------------------------------------------------


async def test_two_farms_cannot_share_a_port(farm: RunningFrontend) -> None:
    second = make_frontend(FakeDataPlane(), address=farm.address)
    with pytest.raises(ConfigurationError, match=f"gRPC address {farm.address} cannot be bound"):
        await second.start()
    await second.stop(grace_s=0.0)
    assert (await farm.call("ServerLive")).live


async def test_an_address_in_use_is_noticed_before_anything_starts(farm: RunningFrontend) -> None:
    with pytest.raises(ConfigurationError, match=f"the gRPC address {farm.address} cannot be"):
        check_free("gRPC", farm.address)


def test_a_free_address_passes() -> None:
    check_free("gRPC", "127.0.0.1:0")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    check_free("metrics", f"127.0.0.1:{port}")


@pytest.mark.parametrize(
    "address", ["", "8001", ":8001", "127.0.0.1", "127.0.0.1:", "127.0.0.1:port", "127.0.0.1:65536"]
)
def test_what_is_no_address_is_told_with_an_example(address: str) -> None:
    with pytest.raises(
        ConfigurationError, match=r"the metrics address '.*' is not HOST:PORT, for example 127"
    ) as caught:
        check_free("metrics", address)
    assert f"'{address}'" in caught.value.message


async def test_after_a_stop_nobody_answers() -> None:
    async with running_frontend() as running:
        await running.frontend.stop(grace_s=0.0)
        error = await refused(running.call("ServerLive"))
        assert error.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_call_that_runs_may_end_before_the_stop(farm: RunningFrontend) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(call: InferenceCall) -> InferenceResult:
        begun.set()
        await go_on.wait()
        return await echo(call)

    farm.dataplane.behaviour = slow
    caller = asyncio.create_task(farm.call("ModelInfer", request(b"late")))
    await asyncio.wait_for(begun.wait(), WAIT_S)
    stopping = asyncio.create_task(farm.frontend.stop(grace_s=WAIT_S))
    go_on.set()
    response = await asyncio.wait_for(caller, WAIT_S)
    assert list(response.raw_output_contents) == [b"late"]
    await asyncio.wait_for(stopping, WAIT_S)


async def test_who_calls_on_during_a_stop_is_told_that_nobody_is_there() -> None:
    # What is on its way when the port closes; gRPC by itself would cancel some of it nearly
    # every time.
    told: set[grpc.StatusCode] = set()

    async def hammer(running: RunningFrontend) -> None:
        while True:
            try:
                await running.call("ServerLive")
            except grpc.aio.AioRpcError as error:
                told.add(error.code())
                return

    for _ in range(5):
        async with running_frontend() as running:
            callers = [asyncio.create_task(hammer(running)) for _ in range(32)]
            await asyncio.sleep(0.05)
            await running.frontend.stop(grace_s=0.1)
            await asyncio.wait_for(asyncio.gather(*callers), WAIT_S)
    assert told == {grpc.StatusCode.UNAVAILABLE}


async def test_connections_beyond_their_number_are_closed() -> None:
    most = 5
    frontend = make_frontend(FakeDataPlane(), max_connections=most)
    await frontend.start()
    try:
        idle = [await asyncio.open_connection("127.0.0.1", frontend.port) for _ in range(3 * most)]
        # Who is let in is sent the server's settings; who is not reads the end.
        read = await asyncio.gather(
            *(asyncio.wait_for(reader.read(9), 30) for reader, _ in idle), return_exceptions=True
        )
        assert sum(isinstance(first, bytes) and bool(first) for first in read) == most
        for _, writer in idle:
            writer.close()
        method = METHODS["ServerLive"]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{frontend.port}") as channel:
            await asyncio.wait_for(channel.channel_ready(), 30)
            assert await channel.unary_unary(method.path)(b"") is not None
    finally:
        await frontend.stop(0)


@pytest.mark.parametrize(
    ("files", "wanted", "most"),
    [(1_024, 16_384, 512), (65_536, 16_384, 16_384), (600, 16_384, 300), (1_024, 100, 100)],
)
def test_some_files_are_left_to_the_rest_of_the_process(
    monkeypatch: pytest.MonkeyPatch, files: int, wanted: int, most: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (files, files))
    assert connections_within(wanted) == most
