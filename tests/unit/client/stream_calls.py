"""Servers and calls of ModelStreamInfer that several tests share."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from farm.client import AsyncFarmClient, FarmClient, StreamAnswer
from farm.pb.open_inference_pb2 import ModelInferRequest, ModelStreamInferResponse

WAIT_S = 10.0
Answers = Iterator[ModelStreamInferResponse]


def answer(request: ModelInferRequest) -> ModelStreamInferResponse:
    """Answer a request with its input."""
    response = ModelStreamInferResponse()
    response.infer_response.model_name = request.model_name
    response.infer_response.id = request.id
    for tensor, content in zip(request.inputs, request.raw_input_contents, strict=True):
        response.infer_response.outputs.add(
            name=tensor.name, datatype=tensor.datatype, shape=tensor.shape
        )
        response.infer_response.raw_output_contents.append(content)
    return response


def error(request: ModelInferRequest, message: str) -> ModelStreamInferResponse:
    response = ModelStreamInferResponse(error_message=message)
    response.infer_response.id = request.id
    return response


def number(request: ModelInferRequest) -> int:
    return int(np.frombuffer(request.raw_input_contents[0], np.int64)[0])


def inputs(value: int) -> dict[str, Any]:
    return {"x": np.array([value], np.int64)}


def sync_stream(address: str, requests: Any, **options: Any) -> list[StreamAnswer]:
    with FarmClient(address) as client:
        return list(client.stream("m", requests, timeout_s=WAIT_S, **options))


def async_stream(address: str, requests: Any, **options: Any) -> list[StreamAnswer]:
    async def run() -> list[StreamAnswer]:
        async with AsyncFarmClient(address) as client:
            stream = client.stream("m", requests, timeout_s=WAIT_S, **options)
            return [found async for found in stream]

    return asyncio.run(run())


both = pytest.mark.parametrize("stream", [sync_stream, async_stream])
Stream = Callable[..., list[StreamAnswer]]
