"""The real frontend over invented answers, on a thread of its own: what a CLI talks to."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import cast

from farm.core.errors import ErrorCode, FarmError, ModelNotFoundError
from farm.core.models import ModelKey, ModelSpec, ModelState
from farm.core.nodes import NodeProfile, NodeState, NodeVitals
from farm.core.observer import Observer
from farm.core.requests import Receipt
from farm.core.snapshots import FarmSnapshot, GatewayState, ModelSnapshot, NodeSnapshot
from farm.core.tensors import Datatype, Tensor, TensorSpec
from farm.engine.dataplane import DataPlane, InferenceCall, InferenceResult
from farm.engine.snapshots import Snapshots
from farm.frontend.admin_service import AdminService
from farm.frontend.inference_service import InferenceService
from farm.frontend.server import Frontend, FrontendSettings

WAIT_S = 10.0

SPEC = ModelSpec(
    key=ModelKey("echo", 2),
    digest="d1",
    inputs=(
        TensorSpec(name="x", datatype=Datatype.FP32, shape=(-1, -1)),
        TensorSpec(name="s", datatype=Datatype.BYTES, shape=(-1,)),
    ),
    outputs=(),
    max_batch_size=8,
)


class Echo:
    """A data plane that answers with its inputs, or raises `error`."""

    def __init__(self) -> None:
        self.error: FarmError | None = None

    async def infer(self, call: InferenceCall) -> InferenceResult:
        if self.error is not None:
            raise self.error
        return InferenceResult(
            model=SPEC.key,
            outputs=tuple(
                Tensor(name=f"{t.name}_out", datatype=t.datatype, shape=t.shape, raw=t.raw)
                for t in call.inputs
            ),
            receipt=Receipt(
                node_id="pi-1",
                route="farm",
                digest="d1",
                batch_rows=3,
                queue_s=0.0015,
                compute_s=0.25,
                attempts=1,
            ),
        )

    def metadata(self, name: str, version: str) -> tuple[ModelSpec, tuple[int, ...]]:
        if name != SPEC.key.name:
            raise ModelNotFoundError(f"there is no model '{name}' on this farm")
        return SPEC, (2,)


HEARD = NodeSnapshot(
    node_id="pi-1",
    state=NodeState.READY,
    reason="",
    profile=NodeProfile(
        node_id="pi-1", incarnation="i1", slots=2, host="h", pid=42, board="Raspberry Pi 5",
        cpu_class="cortex-a76", architecture="aarch64", cores=4, runtime_version="1.31.1",
    ),
    vitals=NodeVitals(
        incarnation="i1", slots_busy=1, cpu_fraction=0.5, memory_total_bytes=8,
        memory_available_bytes=4, temperature_c=51.5, clock_hz=None, batches_total=7,
        rows_total=21, failures_total=1, digests=("d1",),
    ),
    heartbeat_age_s=0.25,
)  # fmt: skip
SILENT = NodeSnapshot(
    node_id="pi-2", state=NodeState.JOINING, reason="waiting for its actor", profile=None,
    vitals=None, heartbeat_age_s=None,
)  # fmt: skip
SERVED = ModelSnapshot(
    key=SPEC.key, state=ModelState.READY, reason="", digest="d" * 64, max_batch_size=8,
    batching_reason="tried", ready_nodes=("pi-1",), queued_requests=5, requests_total=9,
    failures_total=2,
)  # fmt: skip
REFUSED = ModelSnapshot(
    key=ModelKey("bad", 0), state=ModelState.UNAVAILABLE, reason="it has no version", digest="",
    max_batch_size=0, batching_reason="", ready_nodes=(), queued_requests=0, requests_total=0,
    failures_total=0,
)  # fmt: skip


class Still:
    """Snapshots of a farm in which nothing happens, or an `error`."""

    farm_name = "test farm"

    def __init__(self) -> None:
        self.error: FarmError | None = None

    def take(self) -> FarmSnapshot:
        if self.error is not None:
            raise self.error
        return FarmSnapshot(
            taken_unix_ns=17,
            farm_name=self.farm_name,
            gateway_state=GatewayState.SERVING,
            nodes=(HEARD, SILENT),
            models=(REFUSED, SERVED),
            queued_requests=5,
            inflight_batches=3,
        )


class FakeGateway:
    """A gateway whose parts tests may change while it runs."""

    def __init__(self) -> None:
        self.echo = Echo()
        self.still = Still()
        self.address = ""


class Unobserved:
    """The part of an `Observer` that a frontend tells anything."""

    def error_answered(self, code: ErrorCode) -> None:
        pass


@contextmanager
def running_gateway() -> Iterator[FakeGateway]:
    gateway = FakeGateway()
    started = Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        frontend = Frontend(
            FrontendSettings(address="127.0.0.1:0"),
            inference=InferenceService(cast(DataPlane, gateway.echo)),
            admin=AdminService(cast(Snapshots, gateway.still)),
            observer=cast(Observer, Unobserved()),
        )
        await frontend.start()
        gateway.address = f"127.0.0.1:{frontend.port}"
        started.set()
        await stop.wait()
        await frontend.stop(grace_s=0.0)

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve())

    thread = Thread(target=run)
    thread.start()
    try:
        assert started.wait(WAIT_S)
        yield gateway
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(WAIT_S)
        assert not thread.is_alive()
