"""`farm calibrate`: what a board really draws, by the meter of one host that has it."""

import sys
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from farm.cli import completion
from farm.cli.connecting import admin_client
from farm.cli.exits import farm_errors
from farm.cli.options import Connect, Context, Output, OutputFormat
from farm.core.errors import ConfigurationError, UnreachableError

if TYPE_CHECKING:
    from farm.client import AdminClient
    from farm.core.energy import Band
    from farm.pb.farm_admin_pb2 import (
        Calibration,
        CalibrationPoint,
        CalibrationProgress,
        FarmSnapshot,
        PowerReading,
    )


def calibrate(
    host: Annotated[
        str,
        typer.Argument(
            help="A host with a power meter, or one of its nodes.", autocompletion=completion.nodes
        ),
    ],
    seconds: Annotated[
        float, typer.Option(min=1, max=300, help="How long each of the five loads is measured.")
    ] = 30.0,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it even if no node is left to serve.")
    ] = False,
    connect: Connect = None,
    context: Context = None,
    output: OutputFormat = Output.TABLE,
) -> None:
    """Measure a host at 0, 25, 50, 75 and 100 % load and model its board by that.

    Its nodes take no batches meanwhile. The model is kept at the gateway for all boards of the
    kind; a host without a meter is modelled by it too.
    """
    with farm_errors():
        with admin_client(connect, context) as admin:
            _check_others_serve(admin.snapshot(), host, yes=yes)
            last = _followed(admin, host, seconds)
        if last.warning:
            sys.stderr.write(f"farm: {last.warning}\n")
        _print(last.calibration, output)


def _check_others_serve(snapshot: "FarmSnapshot", host: str, *, yes: bool) -> None:
    """Raise `ConfigurationError` if requests would not be answered, and that was not agreed to."""
    machines = {node.host for node in snapshot.nodes if node.node_id == host} | {host}
    leaving = {n.node_id for n in snapshot.nodes if n.node_id == host or n.host in machines}
    accepting = {node.node_id for node in snapshot.nodes if node.state == "ready"}
    if not yes and accepting and accepting <= leaving:
        raise ConfigurationError(
            f"while {host} is calibrated no node takes batches and requests are not answered;"
            " pass --yes to go on all the same"
        )


def _followed(admin: "AdminClient", host: str, seconds: float) -> "CalibrationProgress":
    """Show how far a calibration is until it is done; return its last message."""
    from rich.console import Console

    told = Console(stderr=True, highlight=False)
    done = 0
    with (
        told.status(f"{host}: waiting until nothing runs there") as status,
        closing(admin.calibrate(host, step_s=seconds)) as steps,
    ):
        for step in steps:
            for point in step.points[done:]:
                told.print(
                    f"{host}: {point.watts:.2f} W at {point.load:.0%} load,"
                    f" {point.utilisation:.0%} busy"
                )
            done = len(step.points)
            if step.HasField("calibration"):
                return step
            status.update(f"{host}: {_doing(step, seconds)}")
    raise UnreachableError(f"{admin.address} ended the calibration of {host} without a result")


def _doing(step: "CalibrationProgress", seconds: float) -> str:
    if step.phase == "waiting":
        return "waiting until nothing runs there"
    if not step.HasField("present"):
        return f"{step.load:.0%} load, {step.phase}"
    measured_s = step.present.measured_ns / 1e9
    return f"{step.load:.0%} load, {step.present.watts:.2f} W, {measured_s:.0f} of {seconds:g} s"


def _print(calibration: "Calibration", output: Output) -> None:
    from farm.cli.tables import print_json, print_table

    if output is Output.JSON:
        print_json("calibration", _document(calibration))
        return
    when = _moment(calibration).strftime("%Y-%m-%d %H:%M UTC")
    print_table(
        f"{calibration.board} on {calibration.host} by its meter ({calibration.meter}), {when}",
        ("load", "busy", "clock", "watts", "±", "on the line", "measured"),
        [
            (
                f"{point.load:.0%}",
                f"{point.utilisation:.0%}",
                f"{point.speed:.0%}",
                f"{point.watts:.2f}",
                f"{point.spread_w:.2f}",
                f"{_on_line(calibration, point):.2f}",
                f"{point.measured_ns / 1e9:.0f} s",
            )
            for point in calibration.points
        ],
    )
    published = _published(calibration.board)
    print_table(
        f"{calibration.board} as modelled now; fit error"
        f" {calibration.rmse_w:.2f} W ({_error_share(calibration):.1%})",
        ("watts", "typical", "from", "to", "published"),
        [
            (name, f"{reading.watts:.2f}", f"{reading.low_w:.2f}", f"{reading.high_w:.2f}", before)
            for name, reading, before in (
                ("idle", calibration.idle, _range(published[0])),
                ("all cores busy", calibration.load, _range(published[1])),
            )
        ],
    )


def _document(calibration: "Calibration") -> dict[str, Any]:
    return {
        "board": calibration.board,
        "host": calibration.host,
        "meter": calibration.meter,
        "measured_at": _moment(calibration).isoformat(timespec="seconds"),
        "idle_w": _watts(calibration.idle),
        "load_w": _watts(calibration.load),
        "rmse_w": round(calibration.rmse_w, 4),
        "error_share": round(_error_share(calibration), 4),
        "points": [
            {
                "load": point.load,
                "utilisation": round(point.utilisation, 4),
                "speed": round(point.speed, 4),
                "watts": round(point.watts, 4),
                "spread_w": round(point.spread_w, 4),
                "measured_s": round(point.measured_ns / 1e9, 3),
            }
            for point in calibration.points
        ],
    }


def _watts(reading: "PowerReading") -> dict[str, float]:
    return {
        "low": round(reading.low_w, 4),
        "typical": round(reading.watts, 4),
        "high": round(reading.high_w, 4),
    }


def _moment(calibration: "Calibration") -> datetime:
    return datetime.fromtimestamp(calibration.measured_unix_ns / 1e9, UTC)


def _on_line(calibration: "Calibration", point: "CalibrationPoint") -> float:
    """Return what the model says of a point."""
    above_w = calibration.load.watts - calibration.idle.watts
    return calibration.idle.watts + above_w * point.utilisation * point.speed


def _error_share(calibration: "Calibration") -> float:
    """Return the fit error as a share of what load adds to idle."""
    return calibration.rmse_w / (calibration.load.watts - calibration.idle.watts)


def _published(name: str) -> "tuple[Band | None, Band | None]":
    """Return what was published of a board, idle and loaded, if anything was."""
    from farm.energy.boards import board

    known = board(name)
    return (known.power.idle, known.power.load) if known is not None else (None, None)


def _range(band: "Band | None") -> str:
    return f"{band.typical:.1f} ({band.low:.1f} to {band.high:.1f})" if band is not None else "-"
