"""The asyncio client."""

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import grpc

from farm.client.channel import DEFAULT_ADDRESS, OPTIONS, inference_methods
from farm.client.codec import AnyArray, to_request, to_result
from farm.client.errors import to_farm_error
from farm.client.results import InferResult
from farm.pb.open_inference_pb2 import ServerReadyRequest


class AsyncFarmClient:
    """Calls a farm from one event loop. Every method raises `FarmError`."""

    def __init__(self, address: str = DEFAULT_ADDRESS) -> None:
        self.address = address
        self._channel = grpc.aio.insecure_channel(address, options=OPTIONS)
        self._calls = {
            name: self._channel.unary_unary(
                method.path,
                request_serializer=method.request_type.SerializeToString,
                response_deserializer=method.response_type.FromString,
            )
            for name, method in inference_methods().items()
            if not method.client_streaming
        }

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._channel.close(None)

    async def ready(self, *, timeout_s: float = 5.0) -> bool:
        """Return whether the farm takes requests."""
        response = await self._call("ServerReady", ServerReadyRequest(), timeout_s)
        return bool(response.ready)

    async def infer(
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
        return to_result(await self._call("ModelInfer", request, timeout_s))

    async def _call(self, name: str, request: object, timeout_s: float | None) -> Any:
        try:
            return await self._calls[name](request, timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            raise to_farm_error(
                error.code(), error.details(), error.trailing_metadata() or (), self.address
            ) from error
