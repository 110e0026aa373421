"""What operators ask of a gateway, and what they tell it."""

import json
from typing import Any

import grpc
import pytest
from plain_server import plain_server

from farm.client import AdminClient
from farm.core.errors import LoadFailedError, UnreachableError, UnsupportedError
from farm.pb.farm_admin_pb2 import (
    DescribeModelResponse,
    FarmSnapshot,
    ModelDescription,
    ModelSnapshot,
    NodeActionResponse,
    NodeSnapshot,
    VersionResponse,
)
from farm.pb.open_inference_pb2 import (
    LogSettingsResponse,
    RepositoryIndexResponse,
    RepositoryModelLoadResponse,
    RepositoryModelUnloadResponse,
)


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


def test_a_watch_that_is_dropped_ends_its_call() -> None:
    from threading import Event

    ended = Event()

    def forever(_: Any, context: grpc.ServicerContext) -> Any:
        context.add_callback(ended.set)
        while context.is_active():
            yield FarmSnapshot()

    with plain_server({"WatchSnapshots": forever}) as address, AdminClient(address) as admin:
        watch = admin.watch(0.05)
        next(watch)
        watch.close()
        assert ended.wait(10.0)


def test_a_snapshot_ends_its_call() -> None:
    from threading import Event

    ended = Event()

    def forever(_: Any, context: grpc.ServicerContext) -> Any:
        context.add_callback(ended.set)
        while context.is_active():
            yield FarmSnapshot()

    with plain_server({"WatchSnapshots": forever}) as address, AdminClient(address) as admin:
        admin.snapshot()
        assert ended.wait(10.0)


def test_a_server_without_a_snapshot_is_named() -> None:
    with (
        plain_server({"WatchSnapshots": lambda *_: iter(())}) as address,
        AdminClient(address) as admin,
        pytest.raises(UnsupportedError, match=f"{address} ended its answer without a snapshot"),
    ):
        admin.snapshot()


def test_operators_describe_a_model() -> None:
    def describe(request: Any, _: grpc.ServicerContext) -> DescribeModelResponse:
        snapshot = ModelSnapshot(name=request.name, version=int(request.version or 7))
        return DescribeModelResponse(versions=[ModelDescription(snapshot=snapshot)])

    with plain_server({"DescribeModel": describe}) as address, AdminClient(address) as admin:
        assert [v.snapshot.version for v in admin.describe("m")] == [7]
        assert [v.snapshot.version for v in admin.describe("m", "3")] == [3]


def test_operators_cordon_and_uncordon() -> None:
    def act(request: Any, _: grpc.ServicerContext) -> NodeActionResponse:
        cordoned = request.action == "cordon"
        return NodeActionResponse(node=NodeSnapshot(node_id=request.node_id, cordoned=cordoned))

    with plain_server({"NodeAction": act}) as address, AdminClient(address) as admin:
        assert admin.cordon("pi-1") == NodeSnapshot(node_id="pi-1", cordoned=True)
        assert admin.uncordon("pi-2") == NodeSnapshot(node_id="pi-2", cordoned=False)


def test_operators_load_and_unload() -> None:
    seen: list[Any] = []

    def load(request: Any, _: grpc.ServicerContext) -> RepositoryModelLoadResponse:
        seen.append(request)
        return RepositoryModelLoadResponse()

    def unload(request: Any, _: grpc.ServicerContext) -> RepositoryModelUnloadResponse:
        seen.append(request)
        return RepositoryModelUnloadResponse()

    behaviours = {"RepositoryModelLoad": load, "RepositoryModelUnload": unload}
    with plain_server(behaviours) as address, AdminClient(address) as admin:
        admin.load("m")
        admin.load("m", config={"max_batch_size": 4}, files={"1/model.onnx": b"onnx"})
        admin.load("m", config='{"backend": "onnxruntime"}')
        admin.unload("m")
    plain, full, text, unloaded = seen
    assert dict(plain.parameters) == {}
    assert json.loads(full.parameters["config"].string_param) == {"max_batch_size": 4}
    assert full.parameters["file:1/model.onnx"].bytes_param == b"onnx"
    assert text.parameters["config"].string_param == '{"backend": "onnxruntime"}'
    assert unloaded.model_name == "m"


def test_a_refused_load_is_not_tried_again() -> None:
    calls = []

    def refuse(_: Any, context: grpc.ServicerContext) -> None:
        calls.append(1)
        context.set_trailing_metadata(
            (("farm-error-code", "load_failed"), ("grpc-retry-pushback-ms", "1"))
        )
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "its golden differs")

    with (
        plain_server({"RepositoryModelLoad": refuse}) as address,
        AdminClient(address) as admin,
        pytest.raises(LoadFailedError, match="its golden differs"),
    ):
        admin.load("m")
    assert len(calls) == 1


def test_operators_list_the_repository_and_set_the_log() -> None:
    def index(request: Any, _: grpc.ServicerContext) -> RepositoryIndexResponse:
        response = RepositoryIndexResponse()
        response.models.add(name="a", version="1", state="READY")
        if not request.ready:
            response.models.add(name="b", state="UNAVAILABLE", reason="unloaded")
        return response

    def log(request: Any, _: grpc.ServicerContext) -> LogSettingsResponse:
        response = LogSettingsResponse()
        response.settings["log_verbose_level"].uint32_param = 0
        for key, value in request.settings.items():
            response.settings[key].MergeFromString(value.SerializeToString())
        return response

    behaviours = {"RepositoryIndex": index, "LogSettings": log}
    with plain_server(behaviours) as address, AdminClient(address) as admin:
        assert [model.name for model in admin.index()] == ["a", "b"]
        assert [model.name for model in admin.index(ready=True)] == ["a"]
        assert admin.log_settings() == {"log_verbose_level": 0}
        changed = {"log_info": False, "log_verbose_level": 2, "log_format": "ISO8601"}
        assert admin.log_settings(changed) == changed
