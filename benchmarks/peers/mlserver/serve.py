"""Serves a repository with MLServer until SIGTERM.

What proved fastest: no worker processes, for with one inference thread they only add a hop;
no adaptive batching, whose merging of lists costs more than it saves; a large network off
the event loop, so that the next request is decoded meanwhile.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.codecs import NumpyCodec
from mlserver.settings import ModelParameters
from mlserver.types import InferenceRequest, InferenceResponse

from benchmarks.peers.onnx_models import OnnxModel, found_models, open_session
from benchmarks.peers.service import Service, free_port

# One for all models, so that one inference runs at a time.
_INFERENCE = ThreadPoolExecutor(1)


class OnnxRuntimeModel(MLModel):
    """A model of one input and one output, run by ONNX Runtime."""

    async def load(self) -> bool:
        assert self.settings.parameters is not None
        self._session = open_session(Path(str(self.settings.parameters.uri)))
        self._input = self._session.get_inputs()[0].name
        self._output = self._session.get_outputs()[0].name
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        feeds = {self._input: NumpyCodec.decode_input(payload.inputs[0])}
        (result,) = await self._run(feeds)
        return InferenceResponse(
            model_name=self.name, outputs=[NumpyCodec.encode_output(self._output, result)]
        )

    async def _run(self, feeds: dict[str, Any]) -> list[Any]:
        assert self.settings.parameters is not None
        if not self.settings.parameters.extra["large"]:
            return self._session.run(None, feeds)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(_INFERENCE, self._session.run, None, feeds)


def _settings(model: OnnxModel) -> ModelSettings:
    return ModelSettings(
        name=model.name,
        implementation=OnnxRuntimeModel,
        parallel_workers=0,
        parameters=ModelParameters(uri=str(model.path), extra={"large": model.large}),
    )


async def _serve(service: Service) -> None:
    port = free_port()
    models = [_settings(model) for model in found_models(service.models)]
    server = MLServer(
        Settings(
            host="127.0.0.1",
            http_port=free_port(),
            grpc_port=port,
            metrics_endpoint=None,
            parallel_workers=0,
            load_models_at_startup=False,
            debug=False,
        )
    )
    serving = asyncio.ensure_future(server.start(models))
    while not serving.done():
        if await _listening(port):
            service.say_ready(port)
            break
        await asyncio.sleep(0.2)
    await serving


async def _listening(port: int) -> bool:
    """Whether the port, which opens once the models are loaded, takes a connection."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return False
    writer.close()
    return True


def main() -> None:
    asyncio.run(_serve(Service.from_command_line(__doc__)))


if __name__ == "__main__":
    main()
