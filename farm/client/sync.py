"""The blocking client."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import grpc

from farm.client.channel import DEFAULT_ADDRESS, OPTIONS, inference_methods
from farm.client.codec import AnyArray, to_request, to_result
from farm.client.errors import to_farm_error
from farm.client.results import InferResult
from farm.core.tensors import Datatype
from farm.pb.open_inference_pb2 import ModelMetadataRequest, ModelReadyRequest, ServerReadyRequest


class FarmClient:
    """Calls a farm. Threads may share it. Every method raises `FarmError`."""

    def __init__(self, address: str = DEFAULT_ADDRESS) -> None:
        self.address = address
        self._channel = grpc.insecure_channel(address, options=OPTIONS)
        self._calls = {
            name: self._channel.unary_unary(
                method.path,
                request_serializer=method.request_type.SerializeToString,
                response_deserializer=method.response_type.FromString,
            )
            for name, method in inference_methods().items()
            if not method.client_streaming
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._channel.close()

    def ready(self, *, timeout_s: float = 5.0) -> bool:
        """Return whether the farm takes requests."""
        return bool(self._call("ServerReady", ServerReadyRequest(), timeout_s).ready)

    def model_ready(self, model: str, version: str = "", *, timeout_s: float = 5.0) -> bool:
        """Return whether a model can be called."""
        request = ModelReadyRequest(name=model, version=version)
        return bool(self._call("ModelReady", request, timeout_s).ready)

    def input_datatypes(
        self, model: str, version: str = "", *, timeout_s: float = 5.0
    ) -> dict[str, Datatype]:
        """Return the datatypes of a model's inputs by name."""
        request = ModelMetadataRequest(name=model, version=version)
        metadata = self._call("ModelMetadata", request, timeout_s)
        return {tensor.name: Datatype(tensor.datatype) for tensor in metadata.inputs}

    def infer(
        self,
        model: str,
        inputs: Mapping[str, AnyArray],
        *,
        version: str = "",
        outputs: Sequence[str] = (),
        request_id: str = "",
        timeout_s: float | None = None,
    ) -> InferResult:
        """Run a model on arrays, named as its inputs; return its outputs as arrays."""
        request = to_request(model, inputs, version=version, outputs=outputs, request_id=request_id)
        return to_result(self._call("ModelInfer", request, timeout_s))

    def _call(self, name: str, request: object, timeout_s: float | None) -> Any:
        try:
            return self._calls[name](request, timeout=timeout_s)
        except grpc.RpcError as error:
            call: Any = error
            raise to_farm_error(
                call.code(), call.details(), call.trailing_metadata() or (), self.address
            ) from error
