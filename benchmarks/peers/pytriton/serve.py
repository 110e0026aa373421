"""Serves a repository with PyTriton until SIGTERM.

Triton takes the calls and batches them without delay; its Python backend hands each batch to
this process, in which one thread a model runs it.
"""

from typing import Any

import numpy as np
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

from benchmarks.peers.onnx_models import found_models, open_session
from benchmarks.peers.service import Service, free_port, wait_for_the_end


def _infer_function(session: Any, name: str) -> Any:
    @batch
    def infer(**inputs: Any) -> list[Any]:
        return session.run(None, {name: inputs[name]})

    return infer


def _tensor(node: Any) -> Tensor:
    shape = tuple(size if isinstance(size, int) else -1 for size in node.shape[1:])
    return Tensor(name=node.name, dtype=np.float32, shape=shape)


def main() -> None:
    service = Service.from_command_line(__doc__)
    port = free_port()
    config = TritonConfig(
        grpc_address="127.0.0.1",
        grpc_port=port,
        allow_http=False,
        allow_metrics=False,
        log_verbose=0,
    )
    with Triton(config=config) as triton:
        for model in found_models(service.models):
            session = open_session(model.path)
            (given,), (result,) = session.get_inputs(), session.get_outputs()
            triton.bind(
                model_name=model.name,
                infer_func=_infer_function(session, given.name),
                inputs=[_tensor(given)],
                outputs=[_tensor(result)],
                config=ModelConfig(
                    max_batch_size=model.max_batch,
                    batcher=DynamicBatcher(max_queue_delay_microseconds=0),
                ),
            )
        triton.run()
        service.say_ready(port)
        wait_for_the_end()


if __name__ == "__main__":
    main()
