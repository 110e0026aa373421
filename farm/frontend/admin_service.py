"""`farm.v1.FarmAdmin`: what operators' tools ask of a gateway."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

from farm import __version__
from farm.core.admin_protocol import ADMIN_PROTOCOL
from farm.core.errors import InvalidRequestError
from farm.engine.calibration import STEP_S, Calibrator
from farm.engine.descriptions import Descriptions
from farm.engine.snapshots import Snapshots
from farm.frontend.calibration_messages import to_progress
from farm.frontend.description_messages import to_description
from farm.frontend.grpc_types import Context
from farm.frontend.snapshot_messages import to_snapshot
from farm.pb import farm_admin_pb2 as pb

MIN_INTERVAL_NS = 50_000_000


class AdminService:
    """Methods are named as in the protocol; `handlers.py` finds them by that name."""

    def __init__(
        self,
        snapshots: Snapshots,
        descriptions: Descriptions,
        calibrator: Calibrator,
    ) -> None:
        self._snapshots = snapshots
        self._descriptions = descriptions
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
