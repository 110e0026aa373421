"""A gateway that invents its answers, over real gRPC: what a CLI talks to."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any, NoReturn

import grpc

from farm.core.errors import FarmError, ModelNotFoundError
from farm.pb import farm_admin_pb2 as admin
from farm.pb import open_inference_pb2 as oip
from farm.pb.services import ADMIN_SERVICE, INFERENCE_SERVICE, methods

WAIT_S = 10.0

PREPROCESSING = json.dumps({"layout": "NCHW", "height": 2, "width": 2, "channels": 1})

# Model "echo" answers with its inputs, "picture" declares how it wants pictures.
INPUTS = {
    "echo": {"x": ("FP32", [-1, -1]), "s": ("BYTES", [-1])},
    "picture": {"image": ("FP32", [-1, 1, 2, 2])},
}

NODES = (
    admin.NodeSnapshot(
        node_id="pi-1", state="ready", incarnation="i1", host="h", pid=42,
        board="Raspberry Pi 5", cpu_class="cortex-a76", architecture="aarch64",
        onnxruntime_version="1.31.1", cores=4, slots=2, slots_busy=1, cpu_fraction=0.5,
        memory_total_bytes=8, memory_available_bytes=4, temperature_c=51.5, batches_total=7,
        rows_total=21, failures_total=1, heartbeat_age_ns=250_000_000, model_digests=["d1"],
        power=admin.PowerReading(watts=4.25, low_w=4.0, high_w=4.5, source="measured"),
        meter="pmic",
    ),
    admin.NodeSnapshot(node_id="pi-2", state="joining", reason="waiting for its actor"),
)  # fmt: skip
REFUSED = admin.ModelSnapshot(name="bad", state="unavailable", reason="it has no version")
SERVED = admin.ModelSnapshot(
    name="echo", version=2, state="ready", digest="d" * 64, max_batch_size=8,
    batching_reason="tried", ready_nodes=["pi-1"], queued_requests=5, requests_total=9,
    failures_total=2,
)  # fmt: skip
GOING = admin.ModelSnapshot(
    name="gone", version=1, state="unloading", reason="2 batches in flight", ready_nodes=["pi-1"]
)
TWO_SLOTS = admin.SplitCurve(
    slots=2, threads=1, chosen=True,
    curve=[
        admin.CurvePoint(rows=1, seconds=0.002),
        admin.CurvePoint(rows=4, seconds=0.004),
        admin.CurvePoint(rows=8, seconds=0.016),
    ],
)  # fmt: skip
ONE_SLOT = admin.SplitCurve(slots=1, threads=2, curve=[admin.CurvePoint(rows=1, seconds=0.0015)])
DESCRIBED = admin.ModelDescription(
    snapshot=SERVED,
    inputs=[
        admin.TensorDescription(name="x", datatype="FP32", shape=[-1, 4], optional=True),
        admin.TensorDescription(
            name="image", datatype="UINT8", shape=[-1, 1, 2, 2], preprocessing=PREPROCESSING
        ),
    ],
    outputs=[
        admin.TensorDescription(
            name="y", datatype="FP32", shape=[-1, 4], labels=["cat", "dog", "cow", "hen"]
        )
    ],
    abi="2.1", ir_version=8,
    opsets=[admin.OpsetImport(version=17), admin.OpsetImport(domain="ai.onnx.ml", version=3)],
    producer="pytorch", runtime_floor="1.15", operators=33, size_bytes=3 * 2**20,
    parameters={"farm.owner": "lab"}, goldens_checked=4, objective="throughput",
    nodes=[
        admin.NodeReadiness(
            node_id="pi-1", cpu_class="cortex-a76", board="Raspberry Pi 5",
            onnxruntime_version="1.31.1", ready=True, curve=TWO_SLOTS.curve,
            splits=[TWO_SLOTS, ONE_SLOT], measured_unix_ns=1_700_000_000_000_000_000,
            measured_on="pi-4", stored=True, correction=1.254, speed=0.5,
        ),
        admin.NodeReadiness(
            node_id="pi-2", cpu_class="cortex-a72", onnxruntime_version="1.31.1",
            reason="its golden differs",
        ),
        admin.NodeReadiness(
            node_id="pi-3", cpu_class="cortex-a76", onnxruntime_version="1.31.1", ready=True
        ),
    ],
)  # fmt: skip


class FakeGateway:
    """Methods are named as in the protocol. Tests may change the fields while it runs."""

    def __init__(self) -> None:
        self.address = ""
        self.protocol = 1
        self.error: FarmError | None = None
        self.load_error: FarmError | None = None
        self.infer_error: FarmError | None = None
        self.requests: list[oip.ModelInferRequest] = []
        self.loads: list[oip.RepositoryModelLoadRequest] = []
        self.states: dict[str, str] = {}
        # By node: what is in flight there, and what its last action is refused with.
        self.inflight = {"pi-1": 1, "pi-2": 0}
        self.node_errors: dict[str, FarmError] = {}
        self.cordoned: set[str] = set()
        self.calibrations: list[admin.CalibrateRequest] = []
        self.revoke_error: FarmError | None = None
        # The lists of revoked certificates that it was told.
        self.revocations: list[bytes] = []
        self.warning = ""
        # The authorization that the last call brought.
        self.shown = ""
        # A load or unload ends once a test has seen what it waits for.
        self.watched = Event()

    def Version(self, _request: Any, context: Any) -> admin.VersionResponse:  # noqa: N802
        self._check(self.error, context)
        return admin.VersionResponse(
            farm_version="9.9", protocol=self.protocol, farm_name="test farm"
        )

    def WatchSnapshots(  # noqa: N802
        self, request: admin.WatchSnapshotsRequest, context: Any
    ) -> Iterator[admin.FarmSnapshot]:
        self._check(self.error, context)
        yield self._snapshot()
        while request.interval_ns and context.is_active():
            yield self._snapshot()

    def NodeAction(  # noqa: N802
        self, request: admin.NodeActionRequest, context: Any
    ) -> admin.NodeActionResponse:
        self._check(self.node_errors.get(request.node_id), context)
        if request.action == "cordon":
            self.cordoned.add(request.node_id)
        else:
            self.cordoned.discard(request.node_id)
        (node,) = [node for node in self._nodes() if node.node_id == request.node_id]
        return admin.NodeActionResponse(node=node)

    def Revoke(  # noqa: N802
        self, request: admin.RevokeRequest, context: Any
    ) -> admin.RevokeResponse:
        self._check(self.revoke_error, context)
        self.revocations.append(request.list_pem)
        return admin.RevokeResponse(revoked=len(self.revocations))

    def Calibrate(  # noqa: N802
        self, request: admin.CalibrateRequest, context: Any
    ) -> Iterator[admin.CalibrationProgress]:
        self.calibrations.append(request)
        points = [
            admin.CalibrationPoint(
                load=load, utilisation=load, speed=1.0, watts=3 + 6 * load, spread_w=0.25,
                measured_ns=request.step_ns,
            )
            for load in (0.0, 0.5, 1.0)
        ]  # fmt: skip
        yield admin.CalibrationProgress(phase="waiting")
        yield admin.CalibrationProgress(phase="settling", load=0.5, points=points[:1])
        yield admin.CalibrationProgress(
            phase="measuring", load=0.5, present=points[1], points=points[:1]
        )
        self._check(self.node_errors.get(request.host), context)
        calibration = admin.Calibration(
            board="rpi5", host=request.host, meter="hwmon", points=points, rmse_w=0.06,
            measured_unix_ns=1_700_000_000_000_000_000,
            idle=admin.PowerReading(watts=3.0, low_w=2.5, high_w=3.5, source="modelled"),
            load=admin.PowerReading(watts=9.0, low_w=8.5, high_w=9.5, source="modelled"),
        )  # fmt: skip
        yield admin.CalibrationProgress(
            phase="done", load=1.0, points=points, calibration=calibration, warning=self.warning
        )

    def WatchEvents(  # noqa: N802
        self, request: admin.WatchEventsRequest, _context: Any
    ) -> Iterator[admin.WatchEventsResponse]:
        event = admin.FarmEvent(number=7, kind="node_lost", severity="error", subject="pi-2")
        yield admin.WatchEventsResponse(events=[event], missed=6)

    def TailLog(  # noqa: N802
        self, request: admin.TailLogRequest, _context: Any
    ) -> Iterator[admin.TailLogResponse]:
        line = admin.LogLine(unix_ns=17, level="warning", text="node_down token=abc123")
        yield admin.TailLogResponse(lines=[line])

    def DescribeModel(  # noqa: N802
        self, request: admin.DescribeModelRequest, context: Any
    ) -> admin.DescribeModelResponse:
        self._check(self.error, context)
        if request.name == "picture":
            described = admin.ModelDescription()
            described.inputs.add(name="image", preprocessing=PREPROCESSING)
            return admin.DescribeModelResponse(versions=[described])
        self._known(request.name, context)
        return admin.DescribeModelResponse(versions=[DESCRIBED])

    def MeasureModel(  # noqa: N802
        self, request: admin.MeasureModelRequest, context: Any
    ) -> admin.DescribeModelResponse:
        self._known(request.name, context)
        measured = admin.ModelDescription()
        measured.CopyFrom(DESCRIBED)
        for node in measured.nodes:
            node.stored = False
        return admin.DescribeModelResponse(versions=[measured])

    def ModelMetadata(  # noqa: N802
        self, request: oip.ModelMetadataRequest, context: Any
    ) -> oip.ModelMetadataResponse:
        self._known(request.name, context)
        response = oip.ModelMetadataResponse(name=request.name, versions=["2"])
        for name, (datatype, shape) in INPUTS[request.name].items():
            response.inputs.add(name=name, datatype=datatype, shape=shape)
            response.outputs.add(name=f"{name}_out", datatype=datatype, shape=shape)
        return response

    def ModelConfig(  # noqa: N802
        self, request: oip.ModelConfigRequest, context: Any
    ) -> oip.ModelConfigResponse:
        self._known(request.name, context)
        response = oip.ModelConfigResponse()
        response.config.name = request.name
        response.config.max_batch_size = 8
        return response

    def ModelInfer(  # noqa: N802
        self, request: oip.ModelInferRequest, context: Any
    ) -> oip.ModelInferResponse:
        self._check(self.infer_error, context)
        self._known(request.model_name, context)
        self.requests.append(request)
        return self._answer(request)

    def ModelStreamInfer(  # noqa: N802
        self, requests: Iterator[oip.ModelInferRequest], _context: Any
    ) -> Iterator[oip.ModelStreamInferResponse]:
        for request in requests:
            yield oip.ModelStreamInferResponse(infer_response=self._answer(request))

    def RepositoryIndex(  # noqa: N802
        self, _request: Any, _context: Any
    ) -> oip.RepositoryIndexResponse:
        response = oip.RepositoryIndexResponse()
        response.models.add(name="other", version="1", state="READY")
        for name, state in self.states.items():
            response.models.add(name=name, version="3", state=state, reason="as asked")
        return response

    def RepositoryModelLoad(  # noqa: N802
        self, request: oip.RepositoryModelLoadRequest, context: Any
    ) -> oip.RepositoryModelLoadResponse:
        self.loads.append(request)
        self.states[request.model_name] = "READY"
        assert self.watched.wait(WAIT_S)
        self._check(self.load_error, context)
        return oip.RepositoryModelLoadResponse()

    def RepositoryModelUnload(  # noqa: N802
        self, request: oip.RepositoryModelUnloadRequest, _context: Any
    ) -> oip.RepositoryModelUnloadResponse:
        self.states[request.model_name] = "UNAVAILABLE"
        assert self.watched.wait(WAIT_S)
        return oip.RepositoryModelUnloadResponse()

    def _snapshot(self) -> admin.FarmSnapshot:
        loading = [
            admin.ModelSnapshot(
                name=name,
                version=3,
                state="unloading" if state == "UNAVAILABLE" else "loading",
                ready_nodes=["pi-1"],
            )
            for name, state in self.states.items()
        ]
        return admin.FarmSnapshot(
            taken_unix_ns=17,
            farm_name="test farm",
            gateway_state="serving",
            nodes=self._nodes(),
            models=[REFUSED, SERVED, GOING, *loading],
            queued_requests=5,
            inflight_batches=3,
        )

    def _nodes(self) -> list[admin.NodeSnapshot]:
        nodes = []
        for known in NODES:
            node = admin.NodeSnapshot()
            node.CopyFrom(known)
            node.inflight_batches = self.inflight[node.node_id]
            node.slots_busy = min(node.slots_busy, node.inflight_batches)
            if node.node_id in self.cordoned:
                node.cordoned, node.state = True, "cordoned"
            nodes.append(node)
        return nodes

    def _answer(self, request: oip.ModelInferRequest) -> oip.ModelInferResponse:
        response = oip.ModelInferResponse(
            model_name=request.model_name,
            model_version="2",
            id=request.id,
            raw_output_contents=request.raw_input_contents,
        )
        for tensor in request.inputs:
            response.outputs.add(
                name=f"{tensor.name}_out", datatype=tensor.datatype, shape=tensor.shape
            )
        parameters = response.parameters
        parameters["farm_node"].string_param = "pi-1"
        parameters["farm_batch_size"].int64_param = 3
        parameters["farm_queue_us"].int64_param = 15
        parameters["farm_compute_us"].int64_param = 250_000
        return response

    def _known(self, name: str, context: Any) -> None:
        if name not in INPUTS:
            self._fail(ModelNotFoundError(f"there is no model '{name}' on this farm"), context)

    def _check(self, error: FarmError | None, context: Any) -> None:
        self.shown = dict(context.invocation_metadata()).get("authorization", "")
        if error is not None:
            self._fail(error, context)

    def _fail(self, error: FarmError, context: Any) -> NoReturn:
        context.set_trailing_metadata((("farm-error-code", str(error.code)),))
        context.abort(grpc.StatusCode.UNAVAILABLE, error.message)
        raise AssertionError("abort raises")


@contextmanager
def running_gateway() -> Iterator[FakeGateway]:
    gateway = FakeGateway()
    server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
    for service in (INFERENCE_SERVICE, ADMIN_SERVICE):
        handlers = {
            method.name: getattr(
                grpc,
                f"{'stream' if method.client_streaming else 'unary'}"
                f"_{'stream' if method.server_streaming else 'unary'}_rpc_method_handler",
            )(
                getattr(gateway, method.name),
                request_deserializer=method.request_type.FromString,
                response_serializer=method.response_type.SerializeToString,
            )
            for method in methods(service)
            if hasattr(gateway, method.name)
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    gateway.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield gateway
    finally:
        server.stop(0).wait()
