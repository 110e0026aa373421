"""Numbers as the screen tells them: two digits that matter, a unit, "-" for what is unknown.

A number is never wider than five cells before its unit, so that columns stand still.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Final

from farm.core.energy import EnergySource, Power

UNKNOWN: Final = "-"

# What one of a unit is, and how it is written; the least first.
_Units = Sequence[tuple[float, str]]
_COUNTS: Final[_Units] = ((1.0, ""), (1e3, "k"), (1e6, "M"), (1e9, "G"))
_WATTS: Final[_Units] = ((1.0, " W"), (1e3, " kW"), (1e6, " MW"))
_JOULES: Final[_Units] = ((1e-3, " mJ"), (1.0, " J"), (1e3, " kJ"), (3.6e6, " kWh"))
_HERTZ: Final[_Units] = ((1.0, " Hz"), (1e3, " kHz"), (1e6, " MHz"), (1e9, " GHz"))
_BYTES: Final[_Units] = (
    (1.0, " B"), (2.0**10, " KiB"), (2.0**20, " MiB"), (2.0**30, " GiB"), (2.0**40, " TiB"),
)  # fmt: skip
_SECONDS: Final[_Units] = ((1e-3, " ms"), (1.0, " s"))
_DAY: Final = "%Y-%m-%d"
# From which age on it is told in which unit; days only once there are two of them.
_AGES: Final = ((172_800.0, 86_400.0, "d"), (3_600.0, 3_600.0, "h"), (60.0, 60.0, "min"))


def rate(per_s: float | None) -> str:
    """Return how many a second, or a mean of many: "0.3", "3.0", "12", "1.2k"."""
    return _amount(per_s, _COUNTS)


def count(things: int | None) -> str:
    """Return how many there are: "3", "999", "1.2k"."""
    return str(things) if things is not None and abs(things) < 1_000 else _amount(things, _COUNTS)


def watts(power: Power | None, marks: Mapping[EnergySource, str]) -> str:
    """Return watts and the mark of their source, as `Glyphs.sources` has it: "3.4 W ~"."""
    if power is None:
        return UNKNOWN
    return f"{bare_watts(power.watts.typical)} {marks[power.source]}"


def bare_watts(watts: float | None) -> str:
    """Return watts whose source stands elsewhere, or is not known: "3.4 W", "1.2 kW"."""
    return _amount(watts, _WATTS)


def seconds(duration_s: float | None) -> str:
    """Return how long something takes: "0.3 ms", "5.6 ms", "1.2 s"; from two minutes an age."""
    if duration_s is not None and duration_s >= 120:
        return age(duration_s)
    return _amount(duration_s, _SECONDS)


def joules(energy_j: float | None) -> str:
    """Return energy: "3.4 mJ", "12 J", "1.2 kWh"."""
    return _amount(energy_j, _JOULES)


def money(amount: float | None, currency: str) -> str:
    """Return a sum to three digits, with its currency if it is known: "0.0123 EUR"."""
    if amount is None or not math.isfinite(amount):
        return UNKNOWN
    if abs(amount) >= 1_000:
        told = f"{amount:,.0f}"
    elif abs(amount) >= 1:
        told = f"{amount:.2f}"
    elif abs(amount) >= 1e-6:
        told = f"{amount:.{2 - math.floor(math.log10(abs(amount)))}f}"
    else:
        told = f"{amount:.2g}"
    return f"{told} {currency}".rstrip()


def fraction(share: float | None) -> str:
    """Return a share of one in percent: "62%"."""
    return UNKNOWN if share is None or not math.isfinite(share) else f"{share:.0%}"


def celsius(temperature_c: float | None) -> str:
    """Return a temperature: "62 °C"."""
    if temperature_c is None or not math.isfinite(temperature_c):
        return UNKNOWN
    return f"{temperature_c:.0f} °C"


def hertz(clock_hz: float | None) -> str:
    """Return a clock: "2.4 GHz", "600 MHz"."""
    return _amount(clock_hz, _HERTZ)


def data(size_bytes: float | None) -> str:
    """Return an amount of data or of memory: "1.2 GiB"."""
    return _amount(size_bytes, _BYTES)


def age(since_s: float | None) -> str:
    """Return how long ago something was, in whole units: "4 s", "3 min", "5 h", "2 d"."""
    if since_s is None or not math.isfinite(since_s):
        return UNKNOWN
    for begins_s, unit_s, unit in _AGES:
        if since_s >= begins_s:
            return f"{math.floor(since_s / unit_s)} {unit}"
    return f"{math.floor(since_s)} s"


def clock_time(unix_ns: int, zone: tzinfo | None = None) -> str:
    """Return the time of day in a zone, by default the operator's: "14:03:22"."""
    return _moment(unix_ns, zone, "%H:%M:%S")


def day_and_time(unix_ns: int, zone: tzinfo | None = None) -> str:
    """Return a moment in a zone, by default the operator's: "11-22 14:03:22"."""
    return _moment(unix_ns, zone, "%m-%d %H:%M:%S")


def moment(unix_ns: int, now_unix_ns: int, zone: tzinfo | None = None) -> str:
    """Return when something was, with its day where that is not today, by a zone as above."""
    if same_day(unix_ns, now_unix_ns, zone):
        return clock_time(unix_ns, zone)
    if _moment(unix_ns, zone, "%Y") == _moment(now_unix_ns, zone, "%Y"):
        return day_and_time(unix_ns, zone)
    return _moment(unix_ns, zone, f"{_DAY} %H:%M:%S")


def same_day(unix_ns: int, other_unix_ns: int, zone: tzinfo | None = None) -> bool:
    """Whether two moments are on one day of a zone, by default the operator's."""
    return _moment(unix_ns, zone, _DAY) == _moment(other_unix_ns, zone, _DAY)


def _moment(unix_ns: int, zone: tzinfo | None, form: str) -> str:
    try:
        return datetime.fromtimestamp(unix_ns / 1e9, zone).strftime(form)
    except (OverflowError, ValueError, OSError):
        return UNKNOWN


def _amount(value: float | None, units: _Units) -> str:
    """Return a value in the largest unit of which there is one, or in the least."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    size, unit = units[0]
    for larger, name in units[1:]:
        # 999.6 of a unit would be told as 1000, wider than one of the next.
        if abs(value) < larger * 0.9995:
            break
        size, unit = larger, name
    return _digits(value / size) + unit


def _digits(value: float) -> str:
    if value == 0:
        return "0"
    size = abs(value)
    return f"{value:.{2 if size < 0.095 else 1 if size < 9.95 else 0}f}"
