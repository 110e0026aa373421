"""Our definition of the protocol is tritonclient's, no more and no less."""

from collections.abc import Callable, Iterator

import pytest
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.message import Message
from tritonclient.grpc import model_config_pb2 as their_model_config_pb2
from tritonclient.grpc import service_pb2 as their_service_pb2

from farm.pb import farm_admin_pb2, model_config_pb2, open_inference_pb2
from farm.pb.services import ADMIN_SERVICE, INFERENCE_SERVICE, Method, methods

type_name = FieldDescriptorProto.Type.Name
label_name = FieldDescriptorProto.Label.Name


class Definition:
    """What files define, by full name; the split into files is left out."""

    def __init__(self, *files: FileDescriptor) -> None:
        self.files = []
        for file in files:
            proto = FileDescriptorProto()
            file.CopyToProto(proto)
            self.files.append(proto)

    def _messages(self) -> Iterator[tuple[str, DescriptorProto]]:
        def nested(scope: str, message: DescriptorProto) -> Iterator[tuple[str, DescriptorProto]]:
            name = f"{scope}.{message.name}"
            yield name, message
            for inner in message.nested_type:
                yield from nested(name, inner)

        for file in self.files:
            for message in file.message_type:
                yield from nested(f".{file.package}", message)

    def _enums(self) -> Iterator[tuple[str, EnumDescriptorProto]]:
        for file in self.files:
            for enum in file.enum_type:
                yield f".{file.package}.{enum.name}", enum
        for name, message in self._messages():
            for enum in message.enum_type:
                yield f"{name}.{enum.name}", enum

    def syntaxes(self) -> set[str]:
        return {file.syntax for file in self.files}

    def messages(self) -> dict[str, dict[str, object]]:
        return {
            name: {
                "map entry": message.options.map_entry,
                "oneofs": {oneof.name for oneof in message.oneof_decl},
                "reserved": (
                    sorted((r.start, r.end) for r in message.reserved_range),
                    sorted(message.reserved_name),
                ),
            }
            for name, message in self._messages()
        }

    def fields(self) -> dict[str, dict[str, object]]:
        messages = dict(self._messages())
        return {
            f"{name}.{field.name}": {
                "number": field.number,
                "type": type_name(field.type),
                "label": label_name(field.label),
                "type name": field.type_name,
                "map": field.type_name in messages and messages[field.type_name].options.map_entry,
                "oneof": message.oneof_decl[field.oneof_index].name
                if field.HasField("oneof_index")
                else None,
                "optional": field.proto3_optional,
                "json name": field.json_name,
                "options": field.options.SerializeToString(deterministic=True),
            }
            for name, message in messages.items()
            for field in message.field
        }

    def enums(self) -> dict[str, dict[str, int]]:
        return {
            name: {value.name: value.number for value in enum.value} for name, enum in self._enums()
        }

    def methods(self) -> dict[str, dict[str, object]]:
        return {
            f"/{file.package}.{service.name}/{method.name}": {
                "request": method.input_type,
                "response": method.output_type,
                "client streaming": method.client_streaming,
                "server streaming": method.server_streaming,
            }
            for file in self.files
            for service in file.service
            for method in service.method
        }


OURS = Definition(model_config_pb2.DESCRIPTOR, open_inference_pb2.DESCRIPTOR)
THEIRS = Definition(their_model_config_pb2.DESCRIPTOR, their_service_pb2.DESCRIPTOR)
ADMIN = Definition(farm_admin_pb2.DESCRIPTOR)


@pytest.mark.parametrize(
    "part",
    [
        Definition.syntaxes,
        Definition.messages,
        Definition.fields,
        Definition.enums,
        Definition.methods,
    ],
)
def test_protocol_is_the_clients(part: Callable[[Definition], object]) -> None:
    assert part(THEIRS)
    assert part(OURS) == part(THEIRS)


def test_definitions_are_two() -> None:
    # Guards the comparison: one pool would have handed out one definition twice.
    assert open_inference_pb2.DESCRIPTOR.pool is not their_service_pb2.DESCRIPTOR.pool


def test_admin_times_are_integer_nanoseconds() -> None:
    times = {name: field for name, field in ADMIN.fields().items() if name.endswith("_ns")}
    assert ".farm.v1.FarmSnapshot.taken_unix_ns" in times
    assert {field["type"] for field in times.values()} == {"TYPE_INT64"}


def test_admin_needs_no_file_that_the_private_pool_lacks() -> None:
    assert list(farm_admin_pb2.DESCRIPTOR.dependencies) == []


def test_unknown_sensor_is_not_zero() -> None:
    assert not farm_admin_pb2.NodeSnapshot().HasField("temperature_c")
    assert farm_admin_pb2.NodeSnapshot(temperature_c=0.0).HasField("temperature_c")
    assert farm_admin_pb2.NodeSnapshot(clock_hz=0.0).HasField("clock_hz")


def test_methods_of_the_admin_service() -> None:
    listed = {method.path: method for method in methods(ADMIN_SERVICE)}

    assert listed["/farm.v1.FarmAdmin/Version"] == Method(
        service="farm.v1.FarmAdmin",
        name="Version",
        request_type=farm_admin_pb2.VersionRequest,
        response_type=farm_admin_pb2.VersionResponse,
        client_streaming=False,
        server_streaming=False,
    )
    assert listed["/farm.v1.FarmAdmin/WatchSnapshots"] == Method(
        service="farm.v1.FarmAdmin",
        name="WatchSnapshots",
        request_type=farm_admin_pb2.WatchSnapshotsRequest,
        response_type=farm_admin_pb2.FarmSnapshot,
        client_streaming=False,
        server_streaming=True,
    )


def test_methods_of_the_inference_service() -> None:
    listed = {method.path: method for method in methods(INFERENCE_SERVICE)}
    assert listed.keys() == THEIRS.methods().keys()

    stream = listed["/inference.GRPCInferenceService/ModelStreamInfer"]
    assert stream.client_streaming
    assert stream.server_streaming
    infer = listed["/inference.GRPCInferenceService/ModelInfer"]
    assert not infer.client_streaming
    assert not infer.server_streaming


@pytest.mark.parametrize(
    ("service", "module"),
    [(INFERENCE_SERVICE, open_inference_pb2), (ADMIN_SERVICE, farm_admin_pb2)],
)
def test_method_types_are_the_classes_of_the_module(service: str, module: object) -> None:
    def in_module(message: type[Message]) -> object:
        return getattr(module, message.DESCRIPTOR.name)

    for method in methods(service):
        assert method.request_type is in_module(method.request_type)
        assert method.response_type is in_module(method.response_type)


def test_service_that_is_not_ours() -> None:
    with pytest.raises(KeyError, match=r"grpc\.health\.v1\.Health"):
        methods("grpc.health.v1.Health")
