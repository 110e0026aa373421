"""The asyncio client."""

from collections.abc import AsyncGenerator, Mapping
from types import TracebackType
from typing import Self, Unpack

from farm.client.aio_streams import Requests, stream_answers
from farm.client.calls import AsyncCalls, of_trace
from farm.client.channel import DEFAULT_ADDRESS
from farm.client.codec import RequestOptions, to_request, to_result
from farm.client.datatypes import AnyArray
from farm.client.in_flight import InFlight, check_window
from farm.client.metadata import ModelMetadata, to_metadata
from farm.client.methods import (
    MODEL_CONFIG,
    MODEL_INFER,
    MODEL_METADATA,
    MODEL_READY,
    MODEL_STATISTICS,
    SERVER_LIVE,
    SERVER_READY,
)
from farm.client.results import InferResult, StreamAnswer
from farm.client.tls import ClientTls
from farm.core.addresses import checked_address
from farm.pb.model_config_pb2 import ModelConfig
from farm.pb.open_inference_pb2 import (
    ModelConfigRequest,
    ModelMetadataRequest,
    ModelReadyRequest,
    ModelStatistics,
    ModelStatisticsRequest,
    ServerLiveRequest,
    ServerReadyRequest,
)


class AsyncFarmClient:
    """Calls a farm from one event loop. Every method raises `FarmError`.

    A call that the server pushes back, or does not answer at all, is tried again up to
    `retries` times within its own deadline; 0 turns that off. Without `tls` nothing is
    encrypted. `token` is shown with every call; to other machines it needs `tls`.
    """

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        tls: ClientTls | None = None,
        token: str | None = None,
        retries: int = 2,
    ) -> None:
        self.address = checked_address(address)
        self.tls = tls
        self.token = token
        self._calls = AsyncCalls(address, tls, retries, token=token)

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
        """End every call and close the connection."""
        await self._calls.close()

    async def live(self, *, timeout_s: float = 5.0) -> bool:
        """Return whether the farm's gateway runs."""
        return (await self._calls.unary(SERVER_LIVE, ServerLiveRequest(), timeout_s)).live

    async def ready(self, *, timeout_s: float = 5.0) -> bool:
        """Return whether the farm takes requests."""
        return (await self._calls.unary(SERVER_READY, ServerReadyRequest(), timeout_s)).ready

    async def model_ready(self, model: str, version: str = "", *, timeout_s: float = 5.0) -> bool:
        """Return whether a model can be called."""
        request = ModelReadyRequest(name=model, version=version)
        return (await self._calls.unary(MODEL_READY, request, timeout_s)).ready

    async def metadata(
        self, model: str, version: str = "", *, timeout_s: float = 5.0
    ) -> ModelMetadata:
        """Return a model's tensors and versions."""
        request = ModelMetadataRequest(name=model, version=version)
        return to_metadata(await self._calls.unary(MODEL_METADATA, request, timeout_s))

    async def config(self, model: str, version: str = "", *, timeout_s: float = 5.0) -> ModelConfig:
        """Return a model's config, completed with what the server knows of the model.

        A farm does not fill in the other fields' defaults, as Triton does.
        """
        request = ModelConfigRequest(name=model, version=version)
        return (await self._calls.unary(MODEL_CONFIG, request, timeout_s)).config

    async def statistics(
        self, model: str = "", version: str = "", *, timeout_s: float = 5.0
    ) -> tuple[ModelStatistics, ...]:
        """Return the counters of each version; without a model, of every model."""
        request = ModelStatisticsRequest(name=model, version=version)
        return tuple((await self._calls.unary(MODEL_STATISTICS, request, timeout_s)).model_stats)

    async def infer(
        self,
        model: str,
        inputs: Mapping[str, AnyArray],
        *,
        request_id: str = "",
        trace_parent: str = "",
        timeout_s: float | None = None,
        **options: Unpack[RequestOptions],
    ) -> InferResult:
        """Run a model on arrays, named as its inputs; return its outputs as arrays.

        `farm.client.codec.to_request` explains the options. A farm that is traced continues
        the trace of the W3C `traceparent` given. `timeout_s` bounds the whole call, retries
        included.
        """
        request = to_request(model, inputs, request_id=request_id, **options)
        metadata = of_trace(trace_parent)
        return to_result(
            await self._calls.unary(MODEL_INFER, request, timeout_s, metadata=metadata)
        )

    def stream(
        self,
        model: str,
        requests: Requests,
        *,
        window: int = 64,
        timeout_s: float | None = None,
        **options: Unpack[RequestOptions],
    ) -> AsyncGenerator[StreamAnswer, None]:
        """Send many requests over one call and yield their answers as they come.

        Answers come in any order, each with the number of its request; at most `window` are
        in flight. A request that fails is an answer with an error and is not tried again. A
        stream that breaks, or inputs that cannot be sent, raise. `requests` may be
        asynchronous. Closing the iterator cancels the call.
        """
        check_window(window)
        in_flight = InFlight(model, options)
        return stream_answers(self._calls, requests, in_flight, window=window, timeout_s=timeout_s)
