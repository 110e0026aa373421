"""`inference.GRPCInferenceService`, the part that serves requests: health, metadata, inference."""

import asyncio
from collections.abc import AsyncIterator

from farm import __version__
from farm.core.errors import FarmError, QueueFullError
from farm.core.observer import Observer
from farm.core.tracing import TRACE_PARENT
from farm.engine.dataplane import DataPlane, InferenceCall, InferenceResult
from farm.frontend.callers import calling
from farm.frontend.converters import to_call, to_response
from farm.frontend.failures import as_farm_error
from farm.frontend.grpc_types import Context
from farm.frontend.inference_stream import InferenceStream
from farm.frontend.limits import LIMITS
from farm.frontend.model_messages import to_config, to_metadata, to_statistics
from farm.frontend.receipts import Receipts
from farm.frontend.request_bounds import check_answer
from farm.frontend.unread import UnaryAnswers, UnreadAnswers
from farm.pb.open_inference_pb2 import (
    ModelConfigRequest,
    ModelConfigResponse,
    ModelInferRequest,
    ModelInferResponse,
    ModelMetadataRequest,
    ModelMetadataResponse,
    ModelReadyRequest,
    ModelReadyResponse,
    ModelStatisticsRequest,
    ModelStatisticsResponse,
    ModelStreamInferResponse,
    ServerLiveRequest,
    ServerLiveResponse,
    ServerMetadataRequest,
    ServerMetadataResponse,
    ServerReadyRequest,
    ServerReadyResponse,
)

SERVER_NAME = "bramble-farm"

# Streams are long: who is refused one need not ask again at once.
_STREAM_RETRY_S = 1.0

# Triton's names of the extensions that work here.
EXTENSIONS = (
    "classification",
    "logging",
    "model_configuration",
    "model_repository",
    "parameters",
    "schedule_policy",
    "statistics",
)


class InferenceService:
    """Methods are named as in the protocol; `handlers.py` finds them by that name."""

    def __init__(
        self,
        dataplane: DataPlane,
        *,
        observer: Observer,
        traced: bool = False,
        max_answer_bytes: int = 64 << 20,
    ) -> None:
        """Serve a data plane; where requests are `traced`, it is told of whose trace they are.

        An answer with tensors of more than `max_answer_bytes` is refused.
        """
        self._max_answer_bytes = max_answer_bytes
        self._dataplane = dataplane
        self._traced = traced
        self._observer = observer
        self._receipts = Receipts()
        # Answers of both kinds; a stream that is not read must not have calls refused.
        self._unread = UnreadAnswers()
        self._unary = UnaryAnswers(self._unread)
        self._unread_of_streams = UnreadAnswers()
        # Those that are open, each with whose it is.
        self._streams: dict[InferenceStream, str] = {}
        self._streamless = asyncio.Event()
        self._streamless.set()

    @property
    def unread_bytes(self) -> int:
        """Bytes of unary answers that clients have not read yet."""
        return self._unread.total_bytes

    async def end_streams(self) -> None:
        """Read no more from open streams; wait until each has been answered in full."""
        for stream in self._streams:
            stream.finish()
        await self._streamless.wait()

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
        return ServerMetadataResponse(name=SERVER_NAME, version=__version__, extensions=EXTENSIONS)

    async def ModelMetadata(  # noqa: N802
        self, request: ModelMetadataRequest, _context: Context
    ) -> ModelMetadataResponse:
        _, spec = self._dataplane.served(request.name, request.version)
        return to_metadata(spec, self._dataplane.ready_versions(request.name))

    async def ModelConfig(  # noqa: N802
        self, request: ModelConfigRequest, _context: Context
    ) -> ModelConfigResponse:
        version, spec = self._dataplane.served(request.name, request.version)
        return ModelConfigResponse(config=to_config(version, spec))

    async def ModelStatistics(  # noqa: N802
        self, request: ModelStatisticsRequest, _context: Context
    ) -> ModelStatisticsResponse:
        counts = self._dataplane.statistics(request.name, request.version)
        return ModelStatisticsResponse(model_stats=to_statistics(counts))

    async def ModelInfer(  # noqa: N802
        self, request: ModelInferRequest, context: Context
    ) -> ModelInferResponse:
        client = calling().client_key
        call = self._call(request, context, client, self._trace_parent(context))
        self._check_unread(request, client)
        result = await self._dataplane.infer(call)
        response = self._response(result, request)
        self._unary.add(client, response.ByteSize(), context)
        return response

    async def ModelStreamInfer(  # noqa: N802
        self, requests: AsyncIterator[ModelInferRequest | FarmError], context: Context
    ) -> AsyncIterator[ModelStreamInferResponse]:
        client, trace_parent = calling().client_key, self._trace_parent(context)

        async def answer(request: ModelInferRequest) -> ModelInferResponse:
            call = self._call(request, context, client, trace_parent)
            result = await self._dataplane.infer(call)
            return self._response(result, request)

        self._admit_stream(client)
        stream = InferenceStream(
            answer, judge=self._judge, client=client, unread=self._unread_of_streams
        )
        self._streams[stream] = client
        self._streamless.clear()
        try:
            async for response in stream.responses(requests):
                yield response
        finally:
            del self._streams[stream]
            if not self._streams:
                self._streamless.set()

    def _admit_stream(self, client: str) -> None:
        own = sum(whose == client for whose in self._streams.values())
        for count, most, whose in (
            (own, LIMITS.max_streams_of_client, "this client"),
            (len(self._streams), LIMITS.max_streams, "the gateway"),
        ):
            if count >= most:
                raise QueueFullError(
                    f"{whose} has {count} streams open, as many as are allowed; send more requests"
                    " on each, or end one first",
                    retry_after_s=_STREAM_RETRY_S,
                )

    def _response(self, result: InferenceResult, request: ModelInferRequest) -> ModelInferResponse:
        check_answer(result.model.name, result.outputs, self._max_answer_bytes)
        return to_response(result, request, self._receipts)

    def _call(
        self, request: ModelInferRequest, context: Context, client: str, trace_parent: str
    ) -> InferenceCall:
        try:
            return to_call(
                request, context.time_remaining(), client=client, trace_parent=trace_parent
            )
        except FarmError as error:
            self._dataplane.turned_away(request.id, request.model_name, error)
            raise

    def _check_unread(self, request: ModelInferRequest, client: str) -> None:
        try:
            self._unary.check(client)
        except FarmError as error:
            self._dataplane.turned_away(request.id, request.model_name, error)
            raise

    def _trace_parent(self, context: Context) -> str:
        if not self._traced:
            return ""
        found = (value for key, value in context.invocation_metadata() or () if key == TRACE_PARENT)
        return str(next(found, ""))

    def _judge(self, error: Exception) -> FarmError:
        known = as_farm_error("ModelStreamInfer", error)
        self._observer.error_answered(known.code)
        return known
