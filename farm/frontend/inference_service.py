"""`inference.GRPCInferenceService`: the protocol's methods over the data plane."""

from farm import __version__
from farm.engine.dataplane import DataPlane
from farm.frontend.converters import to_call, to_metadata, to_response
from farm.frontend.grpc_types import Context
from farm.pb.open_inference_pb2 import (
    ModelInferRequest,
    ModelInferResponse,
    ModelMetadataRequest,
    ModelMetadataResponse,
    ModelReadyRequest,
    ModelReadyResponse,
    ServerLiveRequest,
    ServerLiveResponse,
    ServerMetadataRequest,
    ServerMetadataResponse,
    ServerReadyRequest,
    ServerReadyResponse,
)

SERVER_NAME = "bramble-farm"


class InferenceService:
    """Methods are named as in the protocol; `handlers.py` finds them by that name."""

    def __init__(self, dataplane: DataPlane) -> None:
        self._dataplane = dataplane

    async def ServerLive(  # noqa: N802
        self, _request: ServerLiveRequest, _context: Context
    ) -> ServerLiveResponse:
        return ServerLiveResponse(live=True)

    async def ServerReady(  # noqa: N802
        self, _request: ServerReadyRequest, _context: Context
    ) -> ServerReadyResponse:
        return ServerReadyResponse(ready=self._dataplane.serving())

    async def ModelReady(  # noqa: N802
        self, request: ModelReadyRequest, _context: Context
    ) -> ModelReadyResponse:
        return ModelReadyResponse(ready=self._dataplane.model_ready(request.name, request.version))

    async def ServerMetadata(  # noqa: N802
        self, _request: ServerMetadataRequest, _context: Context
    ) -> ServerMetadataResponse:
        # Extensions are advertised when they work; none of Triton's does yet.
        return ServerMetadataResponse(name=SERVER_NAME, version=__version__)

    async def ModelMetadata(  # noqa: N802
        self, request: ModelMetadataRequest, _context: Context
    ) -> ModelMetadataResponse:
        return to_metadata(*self._dataplane.metadata(request.name, request.version))

    async def ModelInfer(  # noqa: N802
        self, request: ModelInferRequest, context: Context
    ) -> ModelInferResponse:
        result = await self._dataplane.infer(to_call(request, context.time_remaining()))
        return to_response(result, request)
