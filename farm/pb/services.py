"""The methods of the farm's gRPC services, read from their descriptors.

There are no generated stubs: a server registers handlers and a client opens calls by
`Method.path`, with the message classes given here.
"""

from dataclasses import dataclass
from typing import Final

from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from farm.pb import farm_admin_pb2, open_inference_pb2
from farm.pb.pool import POOL

INFERENCE_SERVICE: Final = "inference.GRPCInferenceService"
ADMIN_SERVICE: Final = "farm.v1.FarmAdmin"

# A service is in the pool once its module is imported.
_FILES: Final = (open_inference_pb2.DESCRIPTOR, farm_admin_pb2.DESCRIPTOR)


@dataclass(frozen=True, slots=True)
class Method:
    """One method of a gRPC service; `service` is the full name, package included."""

    service: str
    name: str
    request_type: type[Message]
    response_type: type[Message]
    client_streaming: bool
    server_streaming: bool

    @property
    def path(self) -> str:
        """The method's name on the wire, such as `/farm.v1.FarmAdmin/Version`."""
        return f"/{self.service}/{self.name}"


def methods(service_full_name: str) -> tuple[Method, ...]:
    """The methods of a service in the order its .proto declares them.

    Raises `KeyError` for a name other than `INFERENCE_SERVICE` and `ADMIN_SERVICE`.
    """
    if service_full_name not in (INFERENCE_SERVICE, ADMIN_SERVICE):
        raise KeyError(service_full_name)
    service = POOL.FindServiceByName(service_full_name)
    return tuple(
        Method(
            service=service.full_name,
            name=method.name,
            request_type=GetMessageClass(method.input_type),
            response_type=GetMessageClass(method.output_type),
            client_streaming=method.client_streaming,
            server_streaming=method.server_streaming,
        )
        for method in service.methods
    )
