"""Calibrations in the messages of `farm.v1`."""

from typing import TYPE_CHECKING

from farm.core.energy import Band, EnergySource
from farm.engine.load_steps import CalibrationProgress
from farm.pb import farm_admin_pb2 as pb

if TYPE_CHECKING:
    from farm.energy.calibration import Calibration, CalibrationPoint


def to_progress(progress: CalibrationProgress) -> pb.CalibrationProgress:
    """Return how far a calibration is as a message."""
    message = pb.CalibrationProgress(
        phase=progress.phase,
        load=progress.load,
        points=map(_point, progress.points),
        warning=progress.warning,
    )
    if progress.present is not None:
        message.present.CopyFrom(_point(progress.present))
    if progress.calibration is not None:
        message.calibration.CopyFrom(_calibration(progress.calibration))
    return message


def _calibration(calibration: "Calibration") -> pb.Calibration:
    power = calibration.power
    return pb.Calibration(
        board=calibration.board,
        host=calibration.host,
        meter=calibration.meter,
        measured_unix_ns=calibration.measured_unix_ns,
        points=map(_point, calibration.points),
        idle=_watts(power.idle, power.source),
        load=_watts(power.load, power.source),
        rmse_w=calibration.rmse_w,
    )


def _watts(band: Band, source: EnergySource) -> pb.PowerReading:
    return pb.PowerReading(watts=band.typical, low_w=band.low, high_w=band.high, source=source)


def _point(point: "CalibrationPoint") -> pb.CalibrationPoint:
    return pb.CalibrationPoint(
        load=point.load,
        utilisation=point.utilisation,
        speed=point.speed,
        watts=point.watts,
        spread_w=point.spread_w,
        measured_ns=round(point.seconds * 1e9),
    )
