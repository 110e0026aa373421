"""A gateway that serves nothing and tells of many nodes, every one of which changes every second.

Prints `ready grpc=HOST:PORT` and runs until it is ended.
"""

import argparse
import asyncio
import math
import random
import signal
import time
from collections.abc import AsyncIterator
from typing import Any, Final

import grpc

from farm.core.ledger import LATENCY_BOUNDS_S
from farm.frontend.handlers import service_handler
from farm.pb import farm_admin_pb2 as pb
from farm.pb.services import ADMIN_SERVICE

_SEED: Final = 1
_GIB: Final = 1 << 30
_MODELS: Final = ("digits", "mobilenet", "embeddings", "keywords")
_BOARDS: Final = ("Raspberry Pi 5 Model B Rev 1.0", "Raspberry Pi 4 Model B Rev 1.5")


class ChangingFarm:
    """A farm at work; a few of its nodes are in trouble, others each time."""

    def __init__(self, nodes: int) -> None:
        self._draw = random.Random(_SEED)
        self._began = time.time_ns()
        self._nodes = [self._node(number) for number in range(nodes)]
        self._answers = 0
        self._latencies = [[0] * (len(LATENCY_BOUNDS_S) + 1) for _ in _MODELS]

    def snapshot(self) -> pb.FarmSnapshot:
        """Return the farm a second later."""
        draw, answered = self._draw, 0
        for node in self._nodes:
            requests = draw.randint(20, 60)
            answered += requests
            node.state = "suspect" if draw.random() < 0.01 else "ready"
            node.cpu_fraction = draw.random()
            node.slots_busy = node.inflight_batches = draw.randint(0, 4)
            node.memory_available_bytes = draw.randint(_GIB, 6 * _GIB)
            node.temperature_c = draw.uniform(45.0, 81.0)
            node.clock_hz = draw.choice((1.5e9, 1.8e9, 2.4e9))
            node.throttle_flags = 0x50005 if draw.random() < 0.02 else 0
            node.heartbeat_age_ns = draw.randint(0, 1_000_000_000)
            watts = draw.uniform(3.0, 9.0)
            node.power.CopyFrom(_power(watts))
            node.work.answers_total += requests
            node.work.batches_total += requests // 4
            node.work.rows_total += requests
            node.work.failures_total += draw.random() < 0.01
            node.work.compute_ns += requests * 5_000_000
            node.work.joules += requests * 0.1
        self._answers += answered
        for latencies in self._latencies:
            latencies[draw.randint(2, 8)] += answered // len(_MODELS)
        return pb.FarmSnapshot(
            taken_unix_ns=time.time_ns(),
            farm_name="shelf",
            gateway_state="serving",
            nodes=self._nodes,
            models=[self._model(*each) for each in zip(_MODELS, self._latencies, strict=True)],
            queued_requests=draw.randint(0, 50),
            inflight_batches=sum(node.inflight_batches for node in self._nodes),
            prices=pb.AnswerPrices(
                answers=self._answers, cost=self._answers * 2e-6, currency="EUR",
                baseline="aws-lambda-arm64", baseline_cost=self._answers * 9e-6,
                baseline_currency="USD",
            ),
            gateway_began_unix_ns=self._began,
        )  # fmt: skip

    def _node(self, number: int) -> pb.NodeSnapshot:
        return pb.NodeSnapshot(
            node_id=f"pi-{number:03}", incarnation=f"i{number}", host=f"pi-{number:03}",
            board=_BOARDS[number % 2], cpu_class="cortex-a76", architecture="aarch64",
            onnxruntime_version="1.23.2", cores=4, slots=4, memory_total_bytes=8 * _GIB,
            model_digests=[f"{model:>064}" for model in _MODELS], pid=1_000 + number,
            threads_per_slot=1, speed=1.0, power=_power(5.0), work=pb.NodeWork(),
        )  # fmt: skip

    def _model(self, name: str, latencies: list[int]) -> pb.ModelSnapshot:
        answers = sum(latencies)
        return pb.ModelSnapshot(
            name=name, version=1, state="ready", digest=f"{name:>064}", max_batch_size=32,
            ready_nodes=[node.node_id for node in self._nodes], requests_total=answers,
            rows_total=answers, batches_total=math.ceil(answers / 4), latencies=latencies,
        )  # fmt: skip


def _power(watts: float) -> pb.PowerReading:
    return pb.PowerReading(watts=watts, low_w=watts * 0.8, high_w=watts * 1.2, source="modelled")


class _Servicer:
    """What of the protocol of operators the screen asks for."""

    def __init__(self, farm: ChangingFarm) -> None:
        self._farm = farm

    async def Version(self, _request: Any, _context: Any) -> pb.VersionResponse:  # noqa: N802
        return pb.VersionResponse(farm_version="0", protocol=1, farm_name="shelf")

    async def WatchSnapshots(  # noqa: N802
        self, request: pb.WatchSnapshotsRequest, _context: Any
    ) -> AsyncIterator[pb.FarmSnapshot]:
        while True:
            yield self._farm.snapshot()
            await asyncio.sleep(request.interval_ns / 1e9)

    async def WatchEvents(  # noqa: N802
        self, request: pb.WatchEventsRequest, _context: Any
    ) -> AsyncIterator[pb.WatchEventsResponse]:
        number = request.after
        while True:
            number += 1
            yield pb.WatchEventsResponse(
                events=[
                    pb.FarmEvent(
                        number=number, unix_ns=time.time_ns(), kind="node_suspect",
                        severity="warning", subject=f"pi-{number % 200:03}", detail="silent",
                    )
                ]
            )  # fmt: skip
            await asyncio.sleep(1.0)


async def _serve(nodes: int) -> None:
    server = grpc.aio.server()
    handler = service_handler(ADMIN_SERVICE, _Servicer(ChangingFarm(nodes)))
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"ready grpc=127.0.0.1:{port}", flush=True)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    await server.stop(0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=200)
    asyncio.run(_serve(parser.parse_args().nodes))


if __name__ == "__main__":
    main()
