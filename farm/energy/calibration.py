"""What one board really draws: a line through what its meter told at several loads.

Ordinary least squares of watts over utilisation times clock, the form that `PowerModel` has.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Final, Self

from farm.core.energy import Band, EnergySource
from farm.core.errors import ConfigurationError
from farm.core.nodes import NodeVitals
from farm.energy.boards import board
from farm.energy.meters import accuracy
from farm.energy.power import PowerModel, metered

# What a board is asked to do, one after the other.
LOADS: Final = (0.0, 0.25, 0.5, 0.75, 1.0)

# Any line goes through two points.
_FEWEST: Final = 3

# Loads that lie closer together tell little of the ends of the line.
_NARROWEST: Final = 0.4

# Watts that are further from the line, as a share of what load adds, are not caused by load.
_WORST: Final = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationPoint:
    """Means over `seconds` at one load.

    `load` (0 to 1) was asked for, `utilisation` is what all cores did together, `speed` their
    clock as a share of the highest. `watts` are the host's, the meter's error corrected as far
    as it is known; `spread_w` is the standard deviation from one heartbeat to the next.
    """

    load: float
    utilisation: float
    speed: float
    watts: float
    spread_w: float
    seconds: float


class Tally:
    """Adds up what a host's heartbeats tell at one load, the first being where it begins."""

    def __init__(self, load: float, first: NodeVitals) -> None:
        self._load = load
        self._last = first
        self._parts: list[_Part] = []

    def add(self, vitals: NodeVitals) -> bool:
        """Take the next heartbeat; return whether the meter told anything since the last one."""
        told_j, seconds = metered(self._last, vitals)
        self._last = vitals
        if not seconds:
            return False
        self._parts.append(
            _Part(
                seconds=seconds,
                watts=accuracy(vitals.meter).joules(told_j, seconds).typical / seconds,
                utilisation=vitals.cpu_fraction,
                speed=vitals.speed,
            )
        )
        return True

    @property
    def seconds(self) -> float:
        """Over how many seconds the meter told what it did."""
        return sum(part.seconds for part in self._parts)

    @property
    def point(self) -> CalibrationPoint:
        """The means so far; there was something to tell."""
        watts = self._mean([part.watts for part in self._parts])
        return CalibrationPoint(
            load=self._load,
            utilisation=self._mean([part.utilisation for part in self._parts]),
            speed=self._mean([part.speed for part in self._parts]),
            watts=watts,
            spread_w=sqrt(self._mean([(part.watts - watts) ** 2 for part in self._parts])),
            seconds=self.seconds,
        )

    def _mean(self, figures: Sequence[float]) -> float:
        weighted = zip(figures, self._parts, strict=True)
        return sum(figure * part.seconds for figure, part in weighted) / self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What one heartbeat told since the one before."""

    seconds: float
    watts: float
    utilisation: float
    speed: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What a kind of board draws, as fitted to the points of one `host`, by a `meter`'s type.

    `idle_w` and `load_w` are the ends of the line, `rmse_w` the root of the mean squared
    distance of the points from it. `idle_error_w` and `load_error_w` are two standard errors of
    what the line foretells there: the wider, the further away from the points.
    """

    board: str
    host: str
    measured_unix_ns: int
    meter: str
    points: tuple[CalibrationPoint, ...]
    idle_w: float
    load_w: float
    rmse_w: float
    idle_error_w: float
    load_error_w: float

    @property
    def power(self) -> PowerModel:
        """The board's model. Its band holds the line's error and the meter's."""
        return PowerModel(
            idle=self._band(self.idle_w, self.idle_error_w),
            load=self._band(self.load_w, self.load_error_w),
            source=EnergySource.MODELLED,
        )

    def _band(self, watts: float, error_w: float) -> Band:
        within = accuracy(self.meter).within
        low, high = max(watts - error_w, 0.0), watts + error_w
        return Band(low * (1 - within), watts, high * (1 + within))


def board_key(name: str, *, architecture: str, host: str) -> str:
    """Return what boards that share a calibration have in common.

    `name` is the operator's or the firmware's. Where neither has one, or only that of the
    architecture, the host stands for itself.
    """
    known = board(name)
    if known is not None:
        return known.id
    return f"{architecture} {host}" if name in {"", architecture} else name


def fitted(
    points: Sequence[CalibrationPoint],
    *,
    board: str,
    host: str,
    meter: str,
    measured_unix_ns: int,
) -> Calibration:
    """Return the calibration that the points of one host make.

    Raises:
        ConfigurationError: they are too few or too close together, or watts do not rise with load.
    """
    _check(points)
    line = _Line.through(
        [point.utilisation * point.speed for point in points], [point.watts for point in points]
    )
    told = ", ".join(
        f"{point.watts:.2f} W at {point.utilisation:.0%}"
        for point in sorted(points, key=lambda point: point.utilisation)
    )
    if line.slope <= 0 or line.start <= 0:
        raise ConfigurationError(
            f"the watts do not rise with the load ({told}): is the meter that of this host?"
        )
    if line.rmse > _WORST * line.slope:
        raise ConfigurationError(
            f"the watts do not follow the load ({told}): does the meter see this host alone, and"
            " does it keep up? Try again with more seconds for each step"
        )
    return Calibration(
        board=board,
        host=host,
        measured_unix_ns=measured_unix_ns,
        meter=meter,
        points=tuple(points),
        idle_w=line.start,
        load_w=line.start + line.slope,
        rmse_w=line.rmse,
        idle_error_w=line.error(0.0),
        load_error_w=line.error(1.0),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """A line of least squares through `count` points."""

    start: float
    slope: float
    count: int
    mean_x: float
    spread_x: float
    rmse: float

    @classmethod
    def through(cls, xs: Sequence[float], ys: Sequence[float]) -> Self:
        count = len(xs)
        mean_x, mean_y = sum(xs) / count, sum(ys) / count
        spread_x = sum((x - mean_x) ** 2 for x in xs)
        pairs = list(zip(xs, ys, strict=True))
        slope = sum((x - mean_x) * (y - mean_y) for x, y in pairs) / spread_x
        start = mean_y - slope * mean_x
        squares = sum((y - start - slope * x) ** 2 for x, y in pairs)
        return cls(
            start=start,
            slope=slope,
            count=count,
            mean_x=mean_x,
            spread_x=spread_x,
            rmse=sqrt(squares / count),
        )

    def error(self, x: float) -> float:
        """Return two standard errors of another point's distance from the line at `x`."""
        deviation = self.rmse * sqrt(self.count / (self.count - 2))
        return 2 * deviation * sqrt(1 + 1 / self.count + (x - self.mean_x) ** 2 / self.spread_x)


def _check(points: Sequence[CalibrationPoint]) -> None:
    for point in points:
        figures = (point.utilisation, point.speed, point.watts)
        if not all(isfinite(figure) and figure >= 0 for figure in figures):
            raise ConfigurationError(
                f"the meter told {point.watts:.2f} W at a load of {point.load:.0%}, which no host"
                " draws; see what it says itself"
            )
    if len(points) < _FEWEST:
        raise ConfigurationError(
            f"{len(points)} points make no calibration; it takes {_FEWEST} loads or more"
        )
    busy = [point.utilisation * point.speed for point in points]
    if max(busy) - min(busy) < _NARROWEST:
        raise ConfigurationError(
            f"the cores were busy from {min(busy):.0%} to {max(busy):.0%} of what they can, too"
            " little to tell what load adds: does something else run there, or is the host"
            " throttled?"
        )
