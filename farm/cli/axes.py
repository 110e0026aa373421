"""Axes of charts, with ticks at round values and at round moments of a calendar."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Final

_MOST_TICKS: Final = 8
_MINUTES: Final = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720)
_DAYS: Final = (1, 2, 7, 14, 28, 56, 112, 224, 448)
# A round value must not be missed by what floats add to it.
_HAIR: Final = 1 + 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One axis: from where to where, its ticks, what it shows. A logarithmic one is above 0."""

    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    title: str
    log: bool = False

    def share(self, value: float) -> float:
        """Return where a value is between both ends, 0 to 1."""
        low, high, at = self.low, self.high, value
        if self.log:
            low, high, at = math.log10(low), math.log10(high), math.log10(value)
        return (at - low) / (high - low)


def linear_axis(highest: float, title: str, said: Callable[[float], str]) -> Axis:
    """Return an axis from 0 to a round value that is not below `highest`."""
    step = _round_step((highest or 1.0) / 5)
    count = max(math.ceil((highest or 1.0) / step - 1e-9), 1)
    ticks = tuple((step * index, said(step * index)) for index in range(count + 1))
    return Axis(low=0.0, high=step * count, ticks=ticks, title=title)


def log_axis(lowest: float, highest: float, title: str, said: Callable[[float], str]) -> Axis:
    """Return a logarithmic axis between round values around two that are above 0."""
    powers = range(math.floor(math.log10(lowest)), math.ceil(math.log10(highest)) + 2)
    rounded = [10.0**power * factor for power in powers for factor in (1, 2, 5)]
    low = max(value for value in rounded if value <= lowest * _HAIR)
    high = min(value for value in rounded if value * _HAIR >= highest and value > low)
    ticks = [value for value in rounded if low <= value <= high]
    if len(ticks) > _MOST_TICKS:
        tens = [10.0**power for power in powers if low <= 10.0**power <= high]
        ticks = tens[:: math.ceil(len(tens) / _MOST_TICKS)]
    return Axis(
        low=low, high=high, ticks=tuple((tick, said(tick)) for tick in ticks), title=title, log=True
    )


def _round_step(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(least))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least * (1 - 1e-9))


def time_axis(start_s: float, end_s: float, zone: tzinfo | None) -> Axis:
    """Return an axis between two moments in Unix seconds, told in a time zone."""
    first = datetime.fromtimestamp(start_s, zone)
    minutes = (end_s - start_s) / 60
    step = next((each for each in _MINUTES if minutes / each <= _MOST_TICKS), None)
    midnight = first.replace(hour=0, minute=0, second=0, microsecond=0)
    if step is not None:
        ticks = _ticks(midnight, timedelta(minutes=step), start_s, end_s)
    else:
        days = next((day for day in _DAYS if minutes / (day * 1440) <= _MOST_TICKS), _DAYS[-1])
        ticks = _ticks(midnight, timedelta(days=days), start_s, end_s)
    name = first.tzname() or "local time"
    return Axis(low=start_s, high=end_s, ticks=ticks, title=name)


def _ticks(
    begin: datetime, step: timedelta, start_s: float, end_s: float
) -> tuple[tuple[float, str], ...]:
    """Return the ticks of a range; those of days stay at midnight where clocks are changed."""
    ticks = []
    moment = begin
    while (at := moment.timestamp()) <= end_s:
        if at >= start_s:
            is_day = moment.hour == 0 and moment.minute == 0
            ticks.append((at, moment.strftime("%d %b" if is_day else "%H:%M")))
        moment += step
    return tuple(ticks)
