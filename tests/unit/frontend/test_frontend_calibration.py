"""Operators follow a calibration over gRPC, and end it by going away."""

import asyncio
from typing import Any

import grpc
import pytest
from fake_dataplane import METHODS, RunningFrontend, running_frontend

from farm.engine.calibration import STEP_S
from farm.pb import farm_admin_pb2 as pb

WAIT_S = 10.0


def begin(frontend: RunningFrontend, request: pb.CalibrateRequest) -> Any:
    method = METHODS["Calibrate"]
    call = frontend.channel.unary_stream(
        method.path,
        request_serializer=method.request_type.SerializeToString,
        response_deserializer=method.response_type.FromString,
    )
    return call(request)


async def test_a_calibration_is_followed_to_its_end() -> None:
    async with running_frontend() as frontend:
        request = pb.CalibrateRequest(host="pi-1", step_ns=2_500_000_000)
        measuring, done = [step async for step in begin(frontend, request)]
        assert frontend.calibrator.asked == [("pi-1", 2.5)]
        assert (measuring.phase, measuring.load) == ("measuring", 0.5)
        assert measuring.present.watts == pytest.approx(6.0)
        assert measuring.present.measured_ns == 2_500_000_000
        assert len(measuring.points) == 1
        assert not measuring.HasField("calibration")
        assert (done.phase, done.warning) == ("done", "the disk is full")
        found = done.calibration
        assert (found.board, found.host, found.meter) == ("rpi5", "pi-1", "hwmon")
        assert found.idle.watts == pytest.approx(3.0)
        assert found.load.low_w < found.load.watts < found.load.high_w
        assert found.load.source == "modelled"
        assert len(found.points) == 3


async def test_a_step_is_as_long_as_usual_unless_said() -> None:
    async with running_frontend() as frontend:
        async for _ in begin(frontend, pb.CalibrateRequest(host="pi-1")):
            pass
        assert frontend.calibrator.asked == [("pi-1", STEP_S)]


async def test_what_goes_wrong_on_the_way_is_told() -> None:
    async with running_frontend() as frontend:
        with pytest.raises(grpc.aio.AioRpcError, match="told nothing"):
            async for _ in begin(frontend, pb.CalibrateRequest(host="pi-2")):
                pass
        assert frontend.calibrator.ended == ["pi-2"]


async def test_an_operator_who_goes_away_ends_it() -> None:
    async with running_frontend() as frontend:
        call = begin(frontend, pb.CalibrateRequest(host="pi-3"))
        await call.read()
        call.cancel()
        async with asyncio.timeout(WAIT_S):
            while not frontend.calibrator.ended:  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.01)
        assert frontend.calibrator.ended == ["pi-3"]
