"""A closed-loop load generator in its own process: one request's bytes, sent again and again.

Nothing is serialised or parsed per request. Prints one JSON object; a failed request ends
it with an error. Run by `benchmarks.serving`.
"""

import argparse
import asyncio
import json
import math
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import grpc

from benchmarks.processes import CpuReading, roles
from farm.client.channel import OPTIONS, inference_methods
from farm.pb.open_inference_pb2 import ModelInferResponse

GENERATOR: Final = "generator"
# Above this share of a core the generator may be what is measured.
MAX_GENERATOR_CORES: Final = 0.7

# The `measure` of a load generator.
Measure = Callable[..., Coroutine[Any, Any, dict[str, Any]]]

_TIMEOUT_S: Final = 30.0
_SAMPLE_EVERY: Final = 16


class _Run:
    """Closed loops over one channel; replies count while `counting`."""

    def __init__(self, call: Any, request: bytes) -> None:
        self._call = call
        self._request = request
        self.counting = False
        self.stopping = False
        self.latencies: list[float] = []
        self.samples: list[bytes] = []

    async def loop(self) -> None:
        while not self.stopping:
            started = perf_counter()
            reply = await self._call(self._request, timeout=_TIMEOUT_S)
            if not self.counting:
                continue
            if len(self.latencies) % _SAMPLE_EVERY == 0:
                self.samples.append(reply)
            self.latencies.append(perf_counter() - started)


async def measure(
    address: str, request: bytes, *, concurrency: int, seconds: float, warmup: float, gateway: int
) -> dict[str, Any]:
    """Send `request` by `concurrency` loops for `seconds` and return what was seen."""
    watched = {**roles(gateway), os.getpid(): GENERATOR}
    async with grpc.aio.insecure_channel(address, options=OPTIONS) as channel:
        # Without serialisers gRPC takes and gives bytes.
        run = _Run(channel.unary_unary(inference_methods()["ModelInfer"].path), request)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(concurrency):
                tasks.create_task(run.loop())
            await asyncio.sleep(warmup)
            before, started = CpuReading.take(watched), perf_counter()
            run.counting = True
            await asyncio.sleep(seconds)
            run.counting = False
            elapsed = perf_counter() - started
            cpu = CpuReading.take(watched).since(before)
            run.stopping = True
    return _summary(run, elapsed, cpu)


def _summary(run: _Run, elapsed: float, cpu: dict[str, float]) -> dict[str, Any]:
    count = len(run.latencies)
    replies = [ModelInferResponse.FromString(sample) for sample in run.samples]
    if not all(reply.raw_output_contents for reply in replies):
        raise RuntimeError("a reply has no outputs")
    if not count:
        raise RuntimeError(f"no reply within {elapsed:.1f} s")
    ordered = sorted(run.latencies)
    generator_cores = cpu[GENERATOR] / elapsed
    return {
        "requests": count,
        "seconds": elapsed,
        "per_s": count / elapsed,
        **{f"p{p}_ms": _percentile(ordered, p) * 1e3 for p in (50, 95, 99)},
        **_batches(replies),
        "cpu_ms_per_request": {role: used / count * 1e3 for role, used in cpu.items()},
        "cores": {role: used / elapsed for role, used in cpu.items()},
        # False: the generator was near its own limit, so requests/s does not count.
        "rate_counts": generator_cores <= MAX_GENERATOR_CORES,
    }


def _percentile(ordered: list[float], percent: int) -> float:
    """Return the nearest-rank percentile."""
    return ordered[math.ceil(len(ordered) * percent / 100) - 1]


def _batches(replies: list[ModelInferResponse]) -> dict[str, float]:
    """Return mean rows of a batch and the node's milliseconds a row, from receipts.

    Requests bring one row, so one with `rows` rows aboard stands for 1/rows of a batch.
    """
    receipts = [reply.parameters for reply in replies]
    rows = [receipt["farm_batch_size"].int64_param for receipt in receipts]
    micros = [receipt["farm_compute_us"].int64_param for receipt in receipts]
    per_row = [spent / aboard for spent, aboard in zip(micros, rows, strict=True)]
    return {
        "rows_per_batch": len(rows) / sum(1 / aboard for aboard in rows),
        "node_ms_per_row": sum(per_row) / len(per_row) / 1e3,
    }


def from_command_line(measure: Measure, description: str | None) -> dict[str, Any]:
    """Run a load generator as its command line says, and return what it measured."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--address", required=True, help="HOST:PORT of the farm's gRPC")
    parser.add_argument("--request", type=Path, required=True, help="a serialised request")
    parser.add_argument("--gateway-pid", type=int, required=True)
    parser.add_argument("--concurrency", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--warmup", type=float, default=1.0)
    given = parser.parse_args()
    return asyncio.run(
        measure(
            given.address,
            given.request.read_bytes(),
            concurrency=given.concurrency,
            seconds=given.seconds,
            warmup=given.warmup,
            gateway=given.gateway_pid,
        )
    )


def main() -> None:
    result = from_command_line(measure, __doc__)
    if not result["rate_counts"]:
        sys.stderr.write(
            f"the generator used {result['cores'][GENERATOR]:.0%} of a core: requests/s does not"
            " count, compare CPU milliseconds a request\n"
        )
    print(json.dumps(result))


if __name__ == "__main__":
    main()
