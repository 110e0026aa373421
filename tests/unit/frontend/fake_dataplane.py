"""A data plane and snapshots whose answers tests choose, behind the real frontend."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import grpc

from farm.core.acts import Act
from farm.core.errors import (
    ErrorCode,
    FarmError,
    ModelNotFoundError,
    ModelUnavailableError,
    NodeLostError,
    UnreachableError,
)
from farm.core.models import (
    LatencyCurve,
    ModelArtifact,
    ModelFile,
    ModelKey,
    ModelSpec,
    ModelState,
)
from farm.core.node_details import BatchInFlight, NodeFailure
from farm.core.nodes import NodeProfile, NodeState, NodeVitals
from farm.core.observer import Observer
from farm.core.requests import Receipt
from farm.core.snapshots import FarmSnapshot, GatewayState, ModelSnapshot, NodeSnapshot
from farm.core.tensors import Datatype, Tensor, TensorSpec
from farm.energy.calibration import CalibrationPoint, fitted
from farm.engine.calibration import Calibrator
from farm.engine.catalog import Version
from farm.engine.control import ModelControl
from farm.engine.cordons import Cordons
from farm.engine.curve_store import MeasuredCurves
from farm.engine.dataplane import DataPlane, InferenceCall, InferenceResult
from farm.engine.descriptions import (
    Descriptions,
    ModelDescription,
    NodeReadiness,
    SplitCurve,
)
from farm.engine.load_steps import CalibrationPhase, CalibrationProgress
from farm.engine.node_descriptions import NodeDescription, NodeDescriptions
from farm.engine.pricing import Price
from farm.engine.restarts import Restarts
from farm.engine.snapshots import Snapshots
from farm.engine.statistics import VersionStatistics
from farm.frontend.admin_service import AdminService
from farm.frontend.callers import Callers
from farm.frontend.certificates import Certificates
from farm.frontend.inference_service import InferenceService
from farm.frontend.node_service import NodeService
from farm.frontend.repository_service import RepositoryService
from farm.frontend.revocation_service import RevocationService
from farm.frontend.server import Frontend, FrontendSettings, Listening
from farm.frontend.tls import TlsSettings
from farm.frontend.tokens import TokenFile
from farm.logs import LogSwitches
from farm.pb.model_config_pb2 import ModelConfig
from farm.pb.services import ADMIN_SERVICE, INFERENCE_SERVICE, Method, methods
from farm.repository.listing import AvailableVersion
from farm.repository.model_config import ModelSettings
from farm.repository.onnx_header import OnnxHeader

METHODS: dict[str, Method] = {
    method.name: method
    for service in (INFERENCE_SERVICE, ADMIN_SERVICE)
    for method in methods(service)
}

RECEIPT = Receipt(
    node_id="pi-1", route="farm", digest="d1", batch_rows=3, queue_s=0.0015, compute_s=0.25,
    threads=2, share=0.5, attempts=1,
    policy="least_expected_completion",
)  # fmt: skip

SPEC = ModelSpec(
    key=ModelKey("echo", 2),
    digest="d1",
    inputs=(TensorSpec(name="x", datatype=Datatype.UINT8, shape=(-1, 2)),),
    outputs=(TensorSpec(name="y", datatype=Datatype.UINT8, shape=(-1, 2)),),
    max_batch_size=8,
)


CONFIG = ModelConfig(name="echo", max_batch_size=99)
CONFIG.parameters["farm.abi"].string_value = "2.1"

ARTIFACT = ModelArtifact(
    key=SPEC.key, digest="d1", files=(ModelFile(path="model.onnx", sha256="f", size_bytes=3),)
)
VERSION = Version(
    key=SPEC.key,
    available=AvailableVersion(
        artifact=ARTIFACT,
        settings=ModelSettings(config=CONFIG.SerializeToString()),
        header=OnnxHeader(
            ir_version=8, opsets=(("", 17),), producer="by hand", operators=4,
            external_files=(), metadata={},
        ),
        abi="2.1",
    ),
    spec=SPEC,
)  # fmt: skip

STATISTICS = VersionStatistics()
STATISTICS.answered(rows=3, latency_s=0.5, receipt=RECEIPT)
STATISTICS.refused(latency_s=0.25)


async def echo(call: InferenceCall) -> InferenceResult:
    """Answer with the inputs, each renamed to `y`."""
    return InferenceResult(
        model=SPEC.key,
        outputs=tuple(
            Tensor(name="y", datatype=t.datatype, shape=t.shape, raw=t.raw) for t in call.inputs
        ),
        receipt=RECEIPT,
        price=Price(),
    )


class FakeDataPlane:
    """Answers as `behaviour` does and keeps the calls."""

    def __init__(self) -> None:
        self.behaviour: Callable[[InferenceCall], Awaitable[InferenceResult]] = echo
        self.calls: list[InferenceCall] = []
        self.refused: list[tuple[str, str, ErrorCode]] = []
        self.ready = True

    async def infer(self, call: InferenceCall) -> InferenceResult:
        self.calls.append(call)
        return await self.behaviour(call)

    def turned_away(self, given_id: str, model: str, error: FarmError) -> None:
        self.refused.append((given_id, model, error.code))

    def serving(self) -> bool:
        return self.ready

    def model_ready(self, name: str, version: str) -> bool:
        return self.ready and name == SPEC.key.name

    def served(self, name: str, version: str) -> tuple[Version, ModelSpec]:
        if name != SPEC.key.name:
            raise ModelNotFoundError(f"there is no model '{name}'")
        return VERSION, SPEC

    def ready_versions(self, name: str) -> tuple[int, ...]:
        return (1, 2)

    def statistics(self, name: str, version: str) -> list[tuple[ModelKey, VersionStatistics]]:
        self.served(name or SPEC.key.name, version)
        return [(SPEC.key, STATISTICS)]

    def fails_with(self, error: Exception) -> None:
        async def fail(_: InferenceCall) -> InferenceResult:
            raise error

        self.behaviour = fail


class FakeSnapshots:
    """A farm of two nodes, one of which was never heard of."""

    farm_name = "test farm"

    def node(self, node_id: str) -> NodeSnapshot:
        (found,) = [node for node in self.take().nodes if node.node_id == node_id]
        return found

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
                        throttle_flags=0x50004,
                        speed=0.75,
                    ),
                    heartbeat_age_s=0.25,
                    inflight_batches=2,
                ),
                NodeSnapshot(
                    node_id="pi-2",
                    state=NodeState.JOINING,
                    reason="waiting for its actor",
                    profile=None,
                    vitals=None,
                    heartbeat_age_s=None,
                    cordoned=True,
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


class FakeControl:
    """Notes what is loaded and unloaded; raises `error` instead if it is set."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str | None, dict[str, bytes]]] = []
        self.error: Exception | None = None

    async def load(self, name: str, *, config: str | None, files: dict[str, bytes]) -> None:
        self.asked.append(("load", name, config, files))
        if self.error is not None:
            raise self.error

    async def unload(self, name: str) -> None:
        self.asked.append(("unload", name, None, {}))
        if self.error is not None:
            raise self.error


CURVE = LatencyCurve(((1, 0.5), (2, 0.75)), 1)


class FakeDescriptions:
    """Describes the one model of `FakeSnapshots`."""

    def describe(self, name: str, version: str) -> tuple[ModelDescription, ...]:
        return (
            ModelDescription(
                snapshot=FakeSnapshots().take().models[0],
                inputs=SPEC.inputs,
                outputs=SPEC.outputs,
                abi="2.1",
                header=VERSION.available.header if VERSION.available else None,
                runtime_floor="1.14",
                size_bytes=3,
                parameters={"farm.abi": "2.1"},
                preprocessing={"x": "{}"},
                labels={"y": ("cat", "dog")},
                nodes=(
                    NodeReadiness(
                        node_id="pi-1", cpu_class="cortex-a76", board="Pi 5",
                        runtime_version="1.31.1", ready=True, reason="",
                        curve=CURVE,
                        splits=(
                            SplitCurve(slots=2, curve=CURVE),
                            SplitCurve(slots=1, curve=LatencyCurve(((1, 0.4),), 2)),
                        ),
                        measured=MeasuredCurves(
                            curves=(CURVE,), max_rows=2, node_id="pi-2", measured_unix_ns=5,
                            stored=True,
                        ),
                        correction=1.5,
                    ),
                ),
            ),
        )  # fmt: skip

    async def measure(self, name: str, version: str) -> tuple[ModelDescription, ...]:
        raise ModelUnavailableError(f"model '{name}' is not served now")


class FakeCordons:
    """Notes what operators want of the nodes of `FakeSnapshots`."""

    def __init__(self) -> None:
        self.drawn: list[tuple[str, bool]] = []
        self.restarted: list[str] = []

    async def draw(self, node_id: str, *, cordoned: bool) -> None:
        if node_id == "pi-2":
            raise NodeLostError("node 'pi-2' is not up")
        self.drawn.append((node_id, cordoned))

    async def restart(self, node_id: str) -> None:
        self.restarted.append(node_id)


class FakeNodeDescriptions:
    """Describes a node that runs one batch and failed another."""

    def describe(self, node_id: str) -> NodeDescription:
        return NodeDescription(
            node=FakeSnapshots().node(node_id),
            batches=(
                BatchInFlight(
                    batch_id=7, model=SPEC.key, rows=8, requests=3, age_s=0.25, running=True
                ),
            ),
            models=((SPEC.key, FakeDescriptions().describe("", "")[0].nodes[0]),),
            failures=(
                NodeFailure(
                    unix_ns=5, batch_id=6, model=SPEC.key, code="INTERNAL", message="it broke"
                ),
            ),
        )


class FakeCalibrator:
    """Calibrates a board that is all of one piece, or fails after the first load."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, float]] = []
        # Hosts whose calibration was ended, by its end or by a caller that went away.
        self.ended: list[str] = []

    async def calibrate(
        self, name: str, *, step_s: float
    ) -> AsyncGenerator[CalibrationProgress, None]:
        self.asked.append((name, step_s))
        points = tuple(
            CalibrationPoint(
                load=load, utilisation=load, speed=1.0, watts=3 + 6 * load, spread_w=0.1,
                seconds=step_s,
            )
            for load in (0.0, 0.5, 1.0)
        )  # fmt: skip
        try:
            yield CalibrationProgress(
                phase=CalibrationPhase.MEASURING, load=0.5, present=points[1], points=points[:1]
            )
            if name == "pi-2":
                raise UnreachableError("the meter of host 'pi-2' told nothing")
            if name == "pi-3":
                await asyncio.Event().wait()
            calibration = fitted(points, board="rpi5", host=name, meter="hwmon", measured_unix_ns=7)
            yield CalibrationProgress(
                phase=CalibrationPhase.DONE, load=1.0, points=points, calibration=calibration,
                warning="the disk is full",
            )  # fmt: skip
        finally:
            self.ended.append(name)


class ErrorNotes:
    """The part of an `Observer` that a frontend tells anything."""

    def __init__(self) -> None:
        self.errors: list[ErrorCode] = []

    def error_answered(self, code: ErrorCode) -> None:
        self.errors.append(code)


class RunningFrontend:
    """A real frontend on a port of the system's choice, and a channel to it.

    `errors` are the codes that it told its observer, `acts` what it told of operators.
    """

    def __init__(
        self,
        frontend: Frontend,
        dataplane: FakeDataPlane,
        notes: ErrorNotes,
        control: FakeControl,
        cordons: FakeCordons,
        calibrator: FakeCalibrator,
        acts: list[Act],
    ) -> None:
        self.frontend = frontend
        self.dataplane = dataplane
        self.control = control
        self.cordons = cordons
        self.calibrator = calibrator
        self.errors = notes.errors
        self.acts = acts
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
    max_connections: int = 16_384,
    tls: TlsSettings | None = None,
    operators: Listening | None = None,
    tokens: TokenFile | None = None,
    connection_age_s: float | None = None,
    notes: ErrorNotes | None = None,
    control: FakeControl | None = None,
    cordons: FakeCordons | None = None,
    calibrator: FakeCalibrator | None = None,
    traced: bool = False,
    acts: list[Act] | None = None,
    certificates: Certificates | None = None,
) -> Frontend:
    observer = cast(Observer, notes or ErrorNotes())
    return Frontend(
        FrontendSettings(
            address=address,
            tls=tls,
            operators=operators,
            connection_age_s=connection_age_s,
            max_receive_bytes=max_receive_bytes,
            max_connections=max_connections,
        ),
        inference=inference_service(dataplane, observer, traced=traced),
        repository=repository_service(control),
        admin=(
            admin_service(calibrator),
            node_service(cordons),
            RevocationService(certificates),
        ),
        callers=Callers(farm="shelf", certificates=certificates, tokens=tokens),
        observer=observer,
        on_act=[].append if acts is None else acts.append,
    )


def inference_service(
    dataplane: FakeDataPlane, observer: Observer, *, traced: bool = False
) -> InferenceService:
    return InferenceService(cast(DataPlane, dataplane), observer=observer, traced=traced)


def repository_service(control: FakeControl | None = None) -> RepositoryService:
    return RepositoryService(
        control=cast(ModelControl, control or FakeControl()),
        snapshots=cast(Snapshots, FakeSnapshots()),
        log=LogSwitches(),
    )


def admin_service(calibrator: FakeCalibrator | None = None) -> AdminService:
    return AdminService(
        cast(Snapshots, FakeSnapshots()),
        cast(Descriptions, FakeDescriptions()),
        cast(Calibrator, calibrator or FakeCalibrator()),
    )


def node_service(cordons: FakeCordons | None = None) -> NodeService:
    fakes = cordons or FakeCordons()
    return NodeService(
        descriptions=cast(NodeDescriptions, FakeNodeDescriptions()),
        cordons=cast(Cordons, fakes),
        restarts=cast(Restarts, fakes),
    )


@asynccontextmanager
async def running_frontend(
    tls: TlsSettings | None = None,
    *,
    operators: Listening | None = None,
    tokens: TokenFile | None = None,
    traced: bool = False,
    certificates: Certificates | None = None,
) -> AsyncIterator[RunningFrontend]:
    dataplane = FakeDataPlane()
    notes = ErrorNotes()
    control = FakeControl()
    cordons = FakeCordons()
    calibrator = FakeCalibrator()
    acts: list[Act] = []
    frontend = make_frontend(
        dataplane,
        tls=tls,
        operators=operators,
        tokens=tokens,
        notes=notes,
        control=control,
        cordons=cordons,
        calibrator=calibrator,
        traced=traced,
        acts=acts,
        certificates=certificates,
    )
    await frontend.start()
    running = RunningFrontend(frontend, dataplane, notes, control, cordons, calibrator, acts)
    try:
        yield running
    finally:
        await running.channel.close()
        await frontend.stop(grace_s=0.0)
