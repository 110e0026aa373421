"""The protocol's statuses as calls: what is sent, and what must come of it."""

import json
from collections.abc import Callable
from dataclasses import dataclass

import grpc
import numpy as np
from served_models import adder

from farm.pb.open_inference_pb2 import (
    CudaSharedMemoryRegisterRequest,
    LogSettingsRequest,
    ModelConfigRequest,
    ModelInferRequest,
    ModelMetadataRequest,
    ModelStatisticsRequest,
    RepositoryModelLoadRequest,
    RepositoryModelUnloadRequest,
    SystemSharedMemoryRegisterRequest,
    TraceSettingRequest,
)

Status = grpc.StatusCode


@dataclass(frozen=True, kw_only=True)
class Row:
    """A call and what must come of it. Without a `code` gRPC itself answers."""

    name: str
    method: str
    request: bytes
    status: grpc.StatusCode
    words: str = ""
    code: str = ""


def infer(model: str = "simple", version: str = "", **parameters: int) -> ModelInferRequest:
    request = ModelInferRequest(model_name=model, model_version=version, id="m")
    for name in ("INPUT0", "INPUT1"):
        request.inputs.add(name=name, datatype="INT32", shape=[1, 16])
        request.raw_input_contents.append(np.ones((1, 16), dtype=np.int32).tobytes())
    for key, value in parameters.items():
        request.parameters[key].int64_param = value
    return request


def slow(model: str, count: int, **parameters: int) -> bytes:
    request = ModelInferRequest(model_name=model)
    request.inputs.add(name="STEPS", datatype="INT64", shape=[1, 1])
    request.raw_input_contents.append(np.array([count], dtype=np.int64).tobytes())
    for key, value in parameters.items():
        request.parameters[key].int64_param = value
    return request.SerializeToString()


def load(name: str, config: object = None, **files: bytes) -> bytes:
    request = RepositoryModelLoadRequest(model_name=name)
    if config is not None:
        text = config if isinstance(config, str) else json.dumps(config)
        request.parameters["config"].string_param = text
    for path, content in files.items():
        request.parameters[path].bytes_param = content
    return request.SerializeToString()


def _shared_input(request: ModelInferRequest) -> None:
    request.inputs[0].parameters["shared_memory_region"].string_param = "region"


def _shared_output(request: ModelInferRequest) -> None:
    output = request.outputs.add(name="OUTPUT0")
    output.parameters["shared_memory_region"].string_param = "region"


def _classes(request: ModelInferRequest) -> None:
    request.outputs.add(name="OUTPUT0").parameters["classification"].int64_param = -1


ADDER = {"backend": "onnxruntime", "max_batch_size": 4}
INVALID, MISSING = Status.INVALID_ARGUMENT, Status.NOT_FOUND
UNSUPPORTED, FAILED = Status.UNIMPLEMENTED, Status.FAILED_PRECONDITION


def changed(change: Callable[[ModelInferRequest], object]) -> bytes:
    request = infer()
    change(request)
    return request.SerializeToString()


ROWS = [
    Row(
        name="bad shape",
        method="ModelInfer",
        request=changed(lambda r: r.inputs[0].shape.append(1)),
        status=INVALID,
        words="[-1, 16]",
        code="invalid_request",
    ),
    Row(
        name="bad size",
        method="ModelInfer",
        request=changed(lambda r: r.raw_input_contents.__setitem__(1, b"123")),
        status=INVALID,
        words="64",
        code="invalid_request",
    ),
    Row(
        name="bad datatype",
        method="ModelInfer",
        request=changed(lambda r: setattr(r.inputs[0], "datatype", "FP32")),
        status=INVALID,
        words="must be INT32, not FP32",
        code="invalid_request",
    ),
    Row(
        name="classification of nothing",
        method="ModelInfer",
        request=changed(_classes),
        status=INVALID,
        words="classification",
        code="invalid_request",
    ),
    *(
        Row(
            name=f"garbage to {method}",
            method=method,
            request=b"\xff\xff\xff\xff",
            status=INVALID,
            words="not a valid request",
            code="invalid_request",
        )
        for method in (
            "ModelInfer",
            "ModelReady",
            "ModelConfig",
            "ModelStatistics",
            "RepositoryIndex",
            "RepositoryModelLoad",
            "RepositoryModelUnload",
            "LogSettings",
        )
    ),
    *(
        Row(
            name=f"unknown model to {method}",
            method=method,
            request=request.SerializeToString(),
            status=MISSING,
            words="'nobody'",
            code="model_not_found",
        )
        for method, request in (
            ("ModelInfer", infer("nobody")),
            ("ModelMetadata", ModelMetadataRequest(name="nobody")),
            ("ModelConfig", ModelConfigRequest(name="nobody")),
            ("ModelStatistics", ModelStatisticsRequest(name="nobody")),
            ("RepositoryModelLoad", RepositoryModelLoadRequest(model_name="nobody")),
            ("RepositoryModelUnload", RepositoryModelUnloadRequest(model_name="nobody")),
        )
    ),
    *(
        Row(
            name=f"unknown version to {method}",
            method=method,
            request=request.SerializeToString(),
            status=MISSING,
            words="'7'",
            code="model_not_found",
        )
        for method, request in (
            ("ModelInfer", infer("simple", "7")),
            ("ModelMetadata", ModelMetadataRequest(name="simple", version="7")),
            ("ModelConfig", ModelConfigRequest(name="simple", version="7")),
            ("ModelStatistics", ModelStatisticsRequest(name="simple", version="7")),
        )
    ),
    Row(
        name="refused model",
        method="ModelInfer",
        request=infer("broken").SerializeToString(),
        status=Status.UNAVAILABLE,
        words="'broken'",
        code="model_unavailable",
    ),
    Row(
        name="message too large",
        method="ModelInfer",
        request=bytes(65 << 20),
        status=Status.RESOURCE_EXHAUSTED,
        words="larger than max",
    ),
    Row(
        name="sequence",
        method="ModelInfer",
        request=infer(sequence_id=3).SerializeToString(),
        status=UNSUPPORTED,
        words="sequence",
        code="unsupported",
    ),
    Row(
        name="input in shared memory",
        method="ModelInfer",
        request=changed(_shared_input),
        status=UNSUPPORTED,
        words="shared memory",
        code="unsupported",
    ),
    Row(
        name="output in shared memory",
        method="ModelInfer",
        request=changed(_shared_output),
        status=UNSUPPORTED,
        words="shared",
        code="unsupported",
    ),
    *(
        Row(name=method, method=method, request=request, status=UNSUPPORTED, code="unsupported")
        for method, request in (
            ("SystemSharedMemoryStatus", b""),
            (
                "SystemSharedMemoryRegister",
                SystemSharedMemoryRegisterRequest(name="r", key="/k").SerializeToString(),
            ),
            ("SystemSharedMemoryUnregister", b""),
            ("CudaSharedMemoryStatus", b""),
            (
                "CudaSharedMemoryRegister",
                CudaSharedMemoryRegisterRequest(name="r").SerializeToString(),
            ),
            ("CudaSharedMemoryUnregister", b""),
            ("TraceSetting", TraceSettingRequest(model_name="simple").SerializeToString()),
        )
    ),
    Row(
        name="corrupt model",
        method="RepositoryModelLoad",
        request=load("broken"),
        status=FAILED,
        words="broken",
        code="load_failed",
    ),
    Row(
        name="corrupt override",
        method="RepositoryModelLoad",
        request=load("sent", ADDER, **{"file:1/model.onnx": b"no model" * 99}),
        status=FAILED,
        words="sent",
        code="load_failed",
    ),
    Row(
        name="override of a model that cannot do it",
        method="RepositoryModelLoad",
        request=load(
            "sent",
            {**ADDER, "input": [{"name": "z", "data_type": "TYPE_FP32", "dims": [4]}]},
            **{"file:1/model.onnx": adder(1.0)},
        ),
        status=FAILED,
        words="z",
        code="load_failed",
    ),
    Row(
        name="files without a config",
        method="RepositoryModelLoad",
        request=load("sent", **{"file:1/model.onnx": adder(1.0)}),
        status=INVALID,
        words="config",
        code="invalid_request",
    ),
    Row(
        name="config that is no JSON",
        method="RepositoryModelLoad",
        request=load("simple", "{"),
        status=INVALID,
        words="config",
        code="invalid_request",
    ),
    Row(
        name="another repository",
        method="RepositoryModelLoad",
        request=RepositoryModelLoadRequest(
            repository_name="elsewhere", model_name="simple"
        ).SerializeToString(),
        status=UNSUPPORTED,
        words="repository",
        code="unsupported",
    ),
    Row(
        name="unknown log setting",
        method="LogSettings",
        request=LogSettingsRequest(
            settings={"colour": LogSettingsRequest.SettingValue(string_param="green")}
        ).SerializeToString(),
        status=INVALID,
        words="colour",
        code="invalid_request",
    ),
]
