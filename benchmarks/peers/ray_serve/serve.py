"""Serves a repository with Ray Serve until SIGTERM: one replica of one CPU, every model in it.

The gRPC proxy takes the protocol's own ModelInfer, so that it gets the same bytes as every
other server. What proved fastest: no wait for a batch, no log line a request, and calls from
proxy to replica over gRPC (`servers.py` sets the variable that Ray Serve reads for it).
"""

import tempfile
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import numpy as np
import ray
from ray import serve
from ray.serve.config import HTTPOptions, gRPCOptions
from ray.serve.schema import LoggingConfig

from benchmarks.peers.onnx_models import OnnxModel, found_models, open_session
from benchmarks.peers.service import Service, free_port, wait_for_the_end
from farm.pb.open_inference_pb2 import ModelInferRequest, ModelInferResponse

_SERVICE = "inference.GRPCInferenceService"
# The load keeps 64 calls in flight; the default of 5 would make batches of 5.
_MAX_ONGOING_REQUESTS = 256

Infer = Callable[[ModelInferRequest], Awaitable[ModelInferResponse]]


def add_model_infer(servicer: Any, server: Any) -> None:
    """Register the protocol's ModelInfer, as generated code would."""
    handler = grpc.unary_unary_rpc_method_handler(
        servicer.ModelInfer,
        request_deserializer=ModelInferRequest.FromString,
        response_serializer=ModelInferResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(_SERVICE, {"ModelInfer": handler}),)
    )


@serve.deployment(
    num_replicas=1,
    max_ongoing_requests=_MAX_ONGOING_REQUESTS,
    ray_actor_options={"num_cpus": 1},
)
class Models:
    """All models of a repository, each with a batch queue of its own."""

    def __init__(self, models: list[OnnxModel]) -> None:
        self._infer = {model.name: _batched(model) for model in models}

    async def ModelInfer(self, request: ModelInferRequest) -> ModelInferResponse:  # noqa: N802
        """Infer; the proxy calls the method by its name in the protocol."""
        return await self._infer[request.model_name](request)


def _batched(model: OnnxModel) -> Infer:
    session = open_session(model.path)
    (given,), (result,) = session.get_inputs(), session.get_outputs()
    row = tuple(given.shape[1:])

    @serve.batch(max_batch_size=model.max_batch, batch_wait_timeout_s=0)
    async def infer(requests: list[ModelInferRequest]) -> list[ModelInferResponse]:
        raw = b"".join(request.raw_input_contents[0] for request in requests)
        rows = np.frombuffer(raw, np.float32).reshape(-1, *row)
        (answers,) = session.run(None, {given.name: rows})
        return [_response(model.name, result.name, answers[at : at + 1]) for at in range(len(rows))]

    return infer


def _response(model: str, output: str, answer: Any) -> ModelInferResponse:
    return ModelInferResponse(
        model_name=model,
        model_version="1",
        outputs=[
            ModelInferResponse.InferOutputTensor(name=output, datatype="FP32", shape=answer.shape)
        ],
        raw_output_contents=[answer.tobytes()],
    )


def main() -> None:
    service = Service.from_command_line(__doc__)
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="ray-serve-") as folder:
        # Its own folder: `ray.init` joins whatever cluster the shared one names.
        ray.init(
            num_cpus=2,
            _temp_dir=folder,
            include_dashboard=False,
            log_to_driver=False,
            configure_logging=False,
        )
        try:
            serve.start(
                logging_config=LoggingConfig(enable_access_log=False),
                http_options=HTTPOptions(host="127.0.0.1", port=free_port()),
                grpc_options=gRPCOptions(
                    port=port,
                    grpc_servicer_functions=["benchmarks.peers.ray_serve.serve.add_model_infer"],
                ),
            )
            serve.run(Models.bind(found_models(service.models)))
            service.say_ready(port)
            wait_for_the_end()
        finally:
            serve.shutdown()
            ray.shutdown()


if __name__ == "__main__":
    main()
