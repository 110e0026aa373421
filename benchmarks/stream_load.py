"""A closed-loop load generator over one stream, in its own process: the same bytes again.

The counterpart of `benchmarks.load`, with the same output: as many requests as asked for are
kept in flight on one ModelStreamInfer call. Run by `benchmarks.streaming`.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from time import perf_counter
from typing import Any

import grpc

from benchmarks.load import GENERATOR, MAX_GENERATOR_CORES, from_command_line
from benchmarks.processes import CpuReading, roles
from farm.client.channel import OPTIONS, inference_methods
from farm.pb.open_inference_pb2 import ModelStreamInferResponse

_SAMPLE_EVERY = 16


class _Run:
    """Requests kept in flight on a stream; answers count while `counting`."""

    def __init__(self, request: bytes, concurrency: int) -> None:
        self._request = request
        self._room = asyncio.Semaphore(concurrency)
        self.counting = False
        self.stopping = False
        self.answered = 0
        self.samples: list[bytes] = []

    async def requests(self) -> AsyncIterator[bytes]:
        while True:
            await self._room.acquire()
            if self.stopping:
                return
            yield self._request

    async def read(self, call: Any) -> None:
        async for answer in call:
            self._room.release()
            if not self.counting:
                continue
            if self.answered % _SAMPLE_EVERY == 0:
                self.samples.append(answer)
            self.answered += 1


async def measure(
    address: str, request: bytes, *, concurrency: int, seconds: float, warmup: float, gateway: int
) -> dict[str, Any]:
    """Keep `concurrency` requests in flight for `seconds` and return what was seen."""
    watched = {**roles(gateway), os.getpid(): GENERATOR}
    async with grpc.aio.insecure_channel(address, options=OPTIONS) as channel:
        run = _Run(request, concurrency)
        # Without serialisers gRPC takes and gives bytes.
        call = channel.stream_stream(inference_methods()["ModelStreamInfer"].path)(run.requests())
        reading = asyncio.create_task(run.read(call))
        await asyncio.sleep(warmup)
        before, started = CpuReading.take(watched), perf_counter()
        run.counting = True
        await asyncio.sleep(seconds)
        run.counting = False
        elapsed = perf_counter() - started
        cpu = CpuReading.take(watched).since(before)
        run.stopping = True
        await reading
    answers = [ModelStreamInferResponse.FromString(sample) for sample in run.samples]
    if not answers or any(a.error_message or not a.infer_response.outputs for a in answers):
        raise RuntimeError("an answer has no outputs")
    rows = [a.infer_response.parameters["farm_batch_size"].int64_param for a in answers]
    generator_cores = cpu[GENERATOR] / elapsed
    return {
        "requests": run.answered,
        "seconds": elapsed,
        "per_s": run.answered / elapsed,
        "rows_per_batch": len(rows) / sum(1 / aboard for aboard in rows),
        "cpu_ms_per_request": {role: used / run.answered * 1e3 for role, used in cpu.items()},
        "cores": {role: used / elapsed for role, used in cpu.items()},
        # False: the generator was near its own limit, so requests/s does not count.
        "rate_counts": generator_cores <= MAX_GENERATOR_CORES,
    }


def main() -> None:
    print(json.dumps(from_command_line(measure, __doc__)))


if __name__ == "__main__":
    main()
