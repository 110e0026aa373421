"""A data plane and snapshots whose answers tests choose, behind the real frontend."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import grpc

from farm.core.errors import ErrorCode, ModelNotFoundError
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
from farm.pb.services import ADMIN_SERVICE, INFERENCE_SERVICE, Method, methods

METHODS: dict[str, Method] = {
    method.name: method
    for service in (INFERENCE_SERVICE, ADMIN_SERVICE)
    for method in methods(service)
}

RECEIPT = Receipt(
    node_id="pi-1", route="farm", digest="d1", batch_rows=3, queue_s=0.0015, compute_s=0.25,
    attempts=1,
)  # fmt: skip

SPEC = ModelSpec(
    key=ModelKey("echo", 2),
    digest="d1",
    inputs=(TensorSpec(name="x", datatype=Datatype.UINT8, shape=(-1, 2)),),
    outputs=(TensorSpec(name="y", datatype=Datatype.UINT8, shape=(-1, 2)),),
    max_batch_size=8,
)


async def echo(call: InferenceCall) -> InferenceResult:
    """Answer with the inputs, each renamed to `y`."""
    return InferenceResult(
        model=SPEC.key,
        outputs=tuple(
            Tensor(name="y", datatype=t.datatype, shape=t.shape, raw=t.raw) for t in call.inputs
        ),
        receipt=RECEIPT,
    )


class FakeDataPlane:
    """Answers as `behaviour` does and keeps the calls."""

    def __init__(self) -> None:
        self.behaviour: Callable[[InferenceCall], Awaitable[InferenceResult]] = echo
        self.calls: list[InferenceCall] = []
        self.ready = True

    async def infer(self, call: InferenceCall) -> InferenceResult:
        self.calls.append(call)
        return await self.behaviour(call)

    def serving(self) -> bool:
        return self.ready

    def model_ready(self, name: str, version: str) -> bool:
        self.metadata(name, version)
        return self.ready

    def metadata(self, name: str, version: str) -> tuple[ModelSpec, tuple[int, ...]]:
        if name != SPEC.key.name:
            raise ModelNotFoundError(f"there is no model '{name}'")
        return SPEC, (1, 2)

    def fails_with(self, error: Exception) -> None:
        async def fail(_: InferenceCall) -> InferenceResult:
            raise error

        self.behaviour = fail


class FakeSnapshots:
    """A farm of two nodes, one of which was never heard of."""

    farm_name = "test farm"

    def take(self) -> FarmSnapshot:
        return FarmSnapshot(
            taken_unix_ns=17,
            farm_name=self.farm_name,
            gateway_state=GatewayState.SERVING,
            nodes=(
                NodeSnapshot(
                    node_id="pi-1",
                    state=NodeState.READY,
                    reason="",
                    profile=NodeProfile(
                        node_id="pi-1",
                        incarnation="i1",
                        slots=2,
                        host="h",
                        pid=42,
                        board="Pi 5",
                        cpu_class="cortex-a76",
                        architecture="aarch64",
                        cores=4,
                        runtime_version="1.31.1",
                    ),
                    vitals=NodeVitals(
                        incarnation="i1",
                        slots_busy=1,
                        cpu_fraction=0.5,
                        memory_total_bytes=8,
                        memory_available_bytes=4,
                        temperature_c=51.5,
                        clock_hz=None,
                        batches_total=7,
                        rows_total=21,
                        failures_total=1,
                        digests=("d1",),
                    ),
                    heartbeat_age_s=0.25,
                ),
                NodeSnapshot(
                    node_id="pi-2",
                    state=NodeState.JOINING,
                    reason="waiting for its actor",
                    profile=None,
                    vitals=None,
                    heartbeat_age_s=None,
                ),
            ),
            models=(
                ModelSnapshot(
                    key=SPEC.key,
                    state=ModelState.READY,
                    reason="",
                    digest="d1",
                    max_batch_size=8,
                    batching_reason="tried",
                    ready_nodes=("pi-1",),
                    queued_requests=5,
                    requests_total=9,
                    failures_total=2,
                ),
            ),
            queued_requests=5,
            inflight_batches=3,
        )


class ErrorNotes:
    """The part of an `Observer` that a frontend tells anything."""

    def __init__(self) -> None:
        self.errors: list[ErrorCode] = []

    def error_answered(self, code: ErrorCode) -> None:
        self.errors.append(code)


class RunningFrontend:
    """A real frontend on a port of the system's choice, and a channel to it.

    `errors` are the codes that it told its observer.
    """

    def __init__(self, frontend: Frontend, dataplane: FakeDataPlane, notes: ErrorNotes) -> None:
        self.frontend = frontend
        self.dataplane = dataplane
        self.errors = notes.errors
        self.address = f"127.0.0.1:{frontend.port}"
        self.channel = grpc.aio.insecure_channel(
            self.address, options=[("grpc.max_receive_message_length", -1)]
        )

    async def call(self, name: str, request: Any = None, **options: Any) -> Any:
        """Call a method of the farm's services; without a request with an empty one."""
        method = METHODS[name]
        call = self.channel.unary_unary(
            method.path,
            request_serializer=method.request_type.SerializeToString,
            response_deserializer=method.response_type.FromString,
        )
        return await call(method.request_type() if request is None else request, **options)

    async def send_bytes(self, path: str, raw: bytes) -> bytes:
        """Call any method with any bytes."""
        reply: bytes = await self.channel.unary_unary(path)(raw)
        return reply


def make_frontend(
    dataplane: FakeDataPlane,
    *,
    address: str = "127.0.0.1:0",
    max_receive_bytes: int = 1 << 20,
    notes: ErrorNotes | None = None,
) -> Frontend:
    return Frontend(
        FrontendSettings(address=address, max_receive_bytes=max_receive_bytes),
        inference=InferenceService(cast(DataPlane, dataplane)),
        admin=AdminService(cast(Snapshots, FakeSnapshots())),
        observer=cast(Observer, notes or ErrorNotes()),
    )


@asynccontextmanager
async def running_frontend() -> AsyncIterator[RunningFrontend]:
    dataplane = FakeDataPlane()
    notes = ErrorNotes()
    frontend = make_frontend(dataplane, notes=notes)
    await frontend.start()
    running = RunningFrontend(frontend, dataplane, notes)
    try:
        yield running
    finally:
        await running.channel.close()
        await frontend.stop(grace_s=0.0)
