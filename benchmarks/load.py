"""A closed-loop load generator in Python: one request's bytes, sent again and again.

Nothing is serialised or parsed per request. It stands in for the compiled generator where
that cannot be built, and beside `stream_load` so that both ways take the same language.
`benchmarks.generators` runs it and describes what it prints.
"""

import argparse
import asyncio
import json
import resource
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import grpc

from farm.client.channel import OPTIONS

_TIMEOUT_S: Final = 30.0
_SAMPLE_EVERY: Final = 16
# A server that refuses at once would be asked thousands of times.
_MAX_FAILURES: Final = 100


@dataclass(slots=True)
class Seen:
    """Replies so far; they count only while `counting`, failures always."""

    counting: bool = False
    stopping: bool = False
    latencies_us: list[int] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    failure: str = ""
    samples: list[bytes] = field(default_factory=list)

    def replied(self, reply: bytes) -> None:
        if not self.counting:
            return
        if self.statuses[0] % _SAMPLE_EVERY == 0:
            self.samples.append(reply)
        self.statuses[0] += 1

    def failed(self, error: grpc.aio.AioRpcError) -> None:
        self.statuses[error.code().value[0]] += 1
        self.failure = error.details() or ""
        self.stopping = sum(self.statuses.values()) - self.statuses[0] > _MAX_FAILURES


# Starts the calls over a channel; each one ends once `Seen.stopping`.
Start = Callable[[grpc.aio.Channel, argparse.Namespace, Seen], Sequence[Awaitable[None]]]


async def measure(start: Start, given: argparse.Namespace) -> dict[str, Any]:
    """Load a server as the command line says and return what was seen."""
    seen = Seen()
    async with grpc.aio.insecure_channel(given.address, options=OPTIONS) as channel:
        calls = [asyncio.ensure_future(call) for call in start(channel, given, seen)]
        await asyncio.sleep(given.warmup)
        print("counting", flush=True)
        began, cpu = perf_counter(), _cpu_seconds()
        seen.counting = True
        await asyncio.sleep(given.seconds)
        seen.counting, seen.stopping = False, True
        seconds, cpu = perf_counter() - began, _cpu_seconds() - cpu
        print("counted", flush=True)
        await asyncio.gather(*calls)
    return {
        "seconds": seconds,
        "cpu_s": cpu,
        "statuses": seen.statuses,
        "failure": seen.failure,
        "latencies_us": seen.latencies_us,
        "samples": [sample.hex() for sample in seen.samples],
    }


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def run(start: Start, description: str | None) -> None:
    """Read the command line, measure and print."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--address", required=True, help="HOST:PORT")
    parser.add_argument("--method", required=True, help="/package.Service/Method")
    parser.add_argument("--request", type=Path, required=True, help="a serialised request")
    parser.add_argument("--concurrency", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--warmup", type=float, required=True)
    print(json.dumps(asyncio.run(measure(start, parser.parse_args()))))


def _start(
    channel: grpc.aio.Channel, given: argparse.Namespace, seen: Seen
) -> Sequence[Awaitable[None]]:
    # Without serialisers gRPC takes and gives bytes.
    call: Any = channel.unary_unary(given.method)
    request = given.request.read_bytes()

    async def loop() -> None:
        while not seen.stopping:
            began = perf_counter()
            try:
                reply = await call(request, timeout=_TIMEOUT_S)
            except grpc.aio.AioRpcError as error:
                seen.failed(error)
                continue
            if seen.counting:
                seen.latencies_us.append(int((perf_counter() - began) * 1e6))
            seen.replied(reply)

    return [loop() for _ in range(given.concurrency)]


if __name__ == "__main__":
    run(_start, __doc__)
