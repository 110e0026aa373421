"""An axis of time with ticks at round moments of a calendar."""

from datetime import datetime, timedelta, tzinfo
from typing import Final

from farm.cli.svg import Axis

_MOST_TICKS: Final = 8
_MINUTES: Final = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720)
_DAYS: Final = (1, 2, 7, 14, 28, 56, 112, 224, 448)


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
