"""`farm.v1.FarmAdmin`: what operators' tools ask of a gateway."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing

from farm import __version__
from farm.core.admin_protocol import ADMIN_PROTOCOL
from farm.core.errors import InvalidRequestError
from farm.core.snapshots import EnergyTotals, FarmSnapshot, NodeSnapshot
from farm.engine.calibration import STEP_S, Calibrator
from farm.engine.cordons import Cordons
from farm.engine.descriptions import Descriptions
from farm.engine.snapshots import Snapshots
from farm.frontend.calibration_messages import to_progress
from farm.frontend.description_messages import to_description, to_model
from farm.frontend.grpc_types import Context
from farm.pb import farm_admin_pb2 as pb

MIN_INTERVAL_NS = 50_000_000

# What NodeAction takes, and whether the node is cordoned after it.
_CORDONED: Mapping[str, bool] = {"cordon": True, "uncordon": False}


class AdminService:
    """Methods are named as in the protocol; `handlers.py` finds them by that name."""

    def __init__(
        self,
        snapshots: Snapshots,
        descriptions: Descriptions,
        cordons: Cordons,
        calibrator: Calibrator,
    ) -> None:
        self._snapshots = snapshots
        self._descriptions = descriptions
        self._cordons = cordons
        self._calibrator = calibrator

    async def Version(  # noqa: N802
        self, _request: pb.VersionRequest, _context: Context
    ) -> pb.VersionResponse:
        return pb.VersionResponse(
            farm_version=__version__,
            protocol=ADMIN_PROTOCOL,
            farm_name=self._snapshots.farm_name,
        )

    async def WatchSnapshots(  # noqa: N802
        self, request: pb.WatchSnapshotsRequest, _context: Context
    ) -> AsyncIterator[pb.FarmSnapshot]:
        if request.interval_ns and request.interval_ns < MIN_INTERVAL_NS:
            raise InvalidRequestError(
                f"interval_ns must be 0 (once) or at least {MIN_INTERVAL_NS}, not"
                f" {request.interval_ns}"
            )
        while True:
            yield to_snapshot(self._snapshots.take())
            if not request.interval_ns:
                return
            await asyncio.sleep(request.interval_ns / 1e9)

    async def NodeAction(  # noqa: N802
        self, request: pb.NodeActionRequest, _context: Context
    ) -> pb.NodeActionResponse:
        cordoned = _CORDONED.get(request.action)
        if cordoned is None:
            raise InvalidRequestError(
                f"action must be one of {', '.join(_CORDONED)}, not '{request.action[:64]}'"
            )
        await self._cordons.draw(request.node_id, cordoned=cordoned)
        return pb.NodeActionResponse(node=_node(self._snapshots.node(request.node_id)))

    async def DescribeModel(  # noqa: N802
        self, request: pb.DescribeModelRequest, _context: Context
    ) -> pb.DescribeModelResponse:
        versions = self._descriptions.describe(request.name, request.version)
        return pb.DescribeModelResponse(versions=[to_description(version) for version in versions])

    async def MeasureModel(  # noqa: N802
        self, request: pb.MeasureModelRequest, _context: Context
    ) -> pb.DescribeModelResponse:
        versions = await self._descriptions.measure(request.name, request.version)
        return pb.DescribeModelResponse(versions=[to_description(version) for version in versions])

    async def Calibrate(  # noqa: N802
        self, request: pb.CalibrateRequest, _context: Context
    ) -> AsyncIterator[pb.CalibrationProgress]:
        step_s = request.step_ns / 1e9 if request.step_ns else STEP_S
        async with aclosing(self._calibrator.calibrate(request.host, step_s=step_s)) as steps:
            async for step in steps:
                yield to_progress(step)


def to_snapshot(snapshot: FarmSnapshot) -> pb.FarmSnapshot:
    """Return a snapshot as a message."""
    return pb.FarmSnapshot(
        taken_unix_ns=snapshot.taken_unix_ns,
        farm_name=snapshot.farm_name,
        gateway_state=snapshot.gateway_state,
        nodes=[_node(node) for node in snapshot.nodes],
        models=[to_model(model) for model in snapshot.models],
        queued_requests=snapshot.queued_requests,
        inflight_batches=snapshot.inflight_batches,
        energy=_energy(snapshot.energy),
    )


def _energy(totals: EnergyTotals) -> pb.EnergyTotals:
    return pb.EnergyTotals(
        measured_j=totals.measured_j,
        modelled_j=totals.modelled_j,
        assumed_j=totals.assumed_j,
        cost=totals.cost,
        currency=totals.currency,
    )


def _node(node: NodeSnapshot) -> pb.NodeSnapshot:
    message = pb.NodeSnapshot(
        node_id=node.node_id,
        state=node.state,
        reason=node.reason,
        cordoned=node.cordoned,
        inflight_batches=node.inflight_batches,
    )
    if (profile := node.profile) is not None:
        message.incarnation = profile.incarnation
        message.host = profile.host
        message.pid = profile.pid
        message.board = profile.board
        message.cpu_class = profile.cpu_class
        message.architecture = profile.architecture
        message.onnxruntime_version = profile.runtime_version
        message.cores = profile.cores
        message.slots = profile.slots
        message.threads_per_slot = profile.threads_per_slot
    if (vitals := node.vitals) is not None:
        message.slots_busy = vitals.slots_busy
        message.cpu_fraction = vitals.cpu_fraction
        message.memory_total_bytes = vitals.memory_total_bytes
        message.memory_available_bytes = vitals.memory_available_bytes
        if vitals.temperature_c is not None:
            message.temperature_c = vitals.temperature_c
        if vitals.clock_hz is not None:
            message.clock_hz = vitals.clock_hz
        if vitals.throttle_flags is not None:
            message.throttle_flags = vitals.throttle_flags
        message.speed = vitals.speed
        message.batches_total = vitals.batches_total
        message.rows_total = vitals.rows_total
        message.failures_total = vitals.failures_total
        message.model_digests.extend(vitals.digests)
        message.meter = vitals.meter
        message.meter_fault = vitals.meter_fault
    if (power := node.power) is not None:
        message.power.watts = power.watts.typical
        message.power.low_w = power.watts.low
        message.power.high_w = power.watts.high
        message.power.source = power.source
    if node.heartbeat_age_s is not None:
        message.heartbeat_age_ns = round(node.heartbeat_age_s * 1e9)
    return message
