"""The columns of the table of nodes: what each shows, and what rows are sorted by."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from farm.core.nodes import NodeState
from tui.glyphs import Glyphs
from tui.readings.alerts import HOT_C
from tui.readings.cell_text import Cell, Role
from tui.readings.names import natural, short_board
from tui.readings.quantities import (
    UNKNOWN,
    age,
    celsius,
    count,
    fraction,
    hertz,
    joules,
    rate,
    seconds,
    watts,
)
from tui.readings.reading import NodeReading
from tui.readings.sparkline import sparkline
from tui.readings.throttling import holds_now, holds_since_start
from tui.readings.trends import LENGTH


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """What one column shows of a node.

    `value` sorts, None last; in columns with a `unit` it is a number in that, which filters
    compare. `text` is what filters search. Where a terminal is narrow, columns of a low `rank`
    stay. One that `grows` takes what is left over, up to so many cells.
    """

    id: str
    title: str
    words: str
    width: int
    rank: int
    value: Callable[[NodeReading], Any]
    cell: Callable[[NodeReading, Glyphs, int], Cell]
    text: Callable[[NodeReading], str] | None = None
    unit: str | None = None
    right: bool = True
    largest_first: bool = True
    grows: int = 0


_STATES: Final = {
    NodeState.LOST: (0, Role.ERROR),
    NodeState.EJECTED: (1, Role.ERROR),
    NodeState.SUSPECT: (2, Role.WARNING),
    NodeState.JOINING: (3, Role.MUTED),
    NodeState.CORDONED: (4, Role.WARNING),
    NodeState.READY: (5, Role.GOOD),
}
# Where the firmware throttles all it can (as `HOT_C`).
_TOO_HOT_C: Final = 85.0
# A node that is silent for longer is suspect.
_SILENT_S: Final = 2.5


def _percent(share: float | None) -> float | None:
    return None if share is None else share * 100


def _load(reading: NodeReading) -> float | None:
    return reading.node.vitals.cpu_fraction if reading.node.vitals else None


def _slots_busy(reading: NodeReading) -> int | None:
    return reading.node.vitals.slots_busy if reading.node.vitals else None


def _memory(reading: NodeReading) -> float | None:
    vitals = reading.node.vitals
    if vitals is None or vitals.memory_total_bytes <= 0:
        return None
    return 1 - vitals.memory_available_bytes / vitals.memory_total_bytes


def _temperature(reading: NodeReading) -> float | None:
    return reading.node.vitals.temperature_c if reading.node.vitals else None


def _clock(reading: NodeReading) -> float | None:
    return reading.node.vitals.clock_hz if reading.node.vitals else None


def _flags(reading: NodeReading) -> int | None:
    return reading.node.vitals.throttle_flags if reading.node.vitals else None


def _holds(reading: NodeReading) -> int | None:
    """Return what holds a node back as a number that is greater for now than for the past."""
    flags = _flags(reading)
    return None if flags is None else (flags & 0xF) << 4 | flags >> 16 & 0xF


def _board(reading: NodeReading) -> str:
    return short_board(reading.node.profile.board) if reading.node.profile else ""


def _state_cell(reading: NodeReading, glyphs: Glyphs, _: int) -> Cell:
    state = reading.node.state
    return f"{glyphs.nodes[state]} {state}", _STATES[state][1]


def _trend_cell(reading: NodeReading, glyphs: Glyphs, width: int) -> Cell:
    return sparkline(reading.trends.cpu_fraction, width, glyphs.levels, top=1.0), Role.TREND


def _slots_cell(reading: NodeReading, _glyphs: Glyphs, _: int) -> Cell:
    busy, profile = _slots_busy(reading), reading.node.profile
    of = "" if profile is None else f"/{profile.slots}"
    return f"{count(busy)}{of}", Role.PLAIN if busy else Role.MUTED


def _temperature_cell(reading: NodeReading, _glyphs: Glyphs, _: int) -> Cell:
    degrees = _temperature(reading)
    role = Role.PLAIN
    if degrees is not None and degrees >= HOT_C:
        role = Role.ERROR if degrees >= _TOO_HOT_C else Role.WARNING
    return celsius(degrees), role


def _flags_cell(reading: NodeReading, _glyphs: Glyphs, _: int) -> Cell:
    """Return a letter for each hold: a capital one for now, a small one for since the start."""
    flags = _flags(reading)
    if flags is None:
        return UNKNOWN, Role.MUTED
    now = holds_now(flags)
    letters = [hold[0].upper() for hold in now]
    letters += [hold[0].lower() for hold in holds_since_start(flags) if hold not in now]
    return "".join(letters) or "ok", Role.ERROR if now else Role.MUTED


def _flags_text(reading: NodeReading) -> str:
    return " ".join(holds_now(_flags(reading) or 0))


def _watts_value(reading: NodeReading) -> float | None:
    return reading.node.power.watts.typical if reading.node.power else None


def _watts_text(reading: NodeReading) -> str:
    return reading.node.power.source if reading.node.power else ""


def _errors_cell(reading: NodeReading, _glyphs: Glyphs, _: int) -> Cell:
    failures = reading.node.work.failures_total
    lately = reading.rates.failures > 0
    role = Role.ERROR if lately else Role.PLAIN if failures else Role.MUTED
    return count(failures), role


def _age_cell(reading: NodeReading, _glyphs: Glyphs, _: int) -> Cell:
    since_s = reading.node.heartbeat_age_s
    silent = since_s is not None and since_s > _SILENT_S
    return age(since_s), Role.WARNING if silent else Role.MUTED


def _plain(text: Callable[[NodeReading], str]) -> Callable[[NodeReading, Glyphs, int], Cell]:
    return lambda reading, _glyphs, _width: (text(reading), Role.PLAIN)


COLUMNS: Final[Sequence[Column]] = (
    Column(
        id="node", title="node", words="its name", width=5, rank=1, right=False,
        largest_first=False, text=lambda r: r.node.node_id,
        value=lambda r: natural(r.node.node_id), cell=_plain(lambda r: r.node.node_id),
    ),
    Column(
        id="board", title="board", words="what it is", width=8, rank=15, right=False,
        largest_first=False, text=_board, value=lambda r: _board(r).lower() or None,
        cell=_plain(lambda r: _board(r) or UNKNOWN),
    ),
    Column(
        id="state", title="state", words="whether it serves", width=10, rank=2, right=False,
        largest_first=False, text=lambda r: r.node.state,
        value=lambda r: _STATES[r.node.state][0], cell=_state_cell,
    ),
    Column(
        id="load", title="load", words="load of all its cores, in percent", width=4, rank=3,
        unit="%", value=lambda r: _percent(_load(r)), cell=_plain(lambda r: fraction(_load(r))),
    ),
    Column(
        id="trend", title="trend", words="load over the last minutes", width=8, rank=9,
        right=False, grows=LENGTH, value=lambda r: _percent(_load(r)), cell=_trend_cell,
    ),
    Column(
        id="slots", title="slots", words="slots that are busy", width=5, rank=12, unit="",
        value=_slots_busy, cell=_slots_cell,
    ),
    Column(
        id="memory", title="mem", words="memory in use, in percent", width=4, rank=13, unit="%",
        value=lambda r: _percent(_memory(r)), cell=_plain(lambda r: fraction(_memory(r))),
    ),
    Column(
        id="temp", title="temp", words="temperature of its processor", width=5, rank=4, unit="°C",
        value=_temperature, cell=_temperature_cell,
    ),
    Column(
        id="clock", title="clock", words="clock of its cores, in GHz", width=7, rank=14,
        unit="GHz", value=lambda r: None if (hz := _clock(r)) is None else hz / 1e9,
        cell=_plain(lambda r: hertz(_clock(r))),
    ),
    Column(
        id="flags", title="flags", width=5, rank=8, right=False,
        words="U under-voltage, C clock capped, T throttled, S soft temperature limit; small: "
        "once since it was started",
        text=_flags_text, value=_holds, cell=_flags_cell,
    ),
    Column(
        id="watts", title="watts", words="what its host draws", width=8, rank=6, unit="W",
        text=_watts_text, value=_watts_value,
        cell=lambda r, glyphs, _: (watts(r.node.power, glyphs.sources), Role.PLAIN),
    ),
    Column(
        id="joules", title="J/req", words="joules a request, lately", width=7, rank=7, unit="J",
        value=lambda r: r.rates.joules_per_request,
        cell=_plain(lambda r: joules(r.rates.joules_per_request)),
    ),
    Column(
        id="requests", title="req/s", words="requests answered a second", width=5, rank=5,
        unit="", value=lambda r: r.rates.requests_per_s,
        cell=_plain(lambda r: rate(r.rates.requests_per_s)),
    ),
    Column(
        id="rows", title="rows", words="rows a batch, lately", width=4, rank=11, unit="",
        value=lambda r: r.rates.batch_rows, cell=_plain(lambda r: rate(r.rates.batch_rows)),
    ),
    Column(
        id="batch", title="batch", words="time a batch takes, in ms", width=7, rank=16,
        unit="ms", value=lambda r: None if (s := r.rates.batch_s) is None else s * 1e3,
        cell=_plain(lambda r: seconds(r.rates.batch_s)),
    ),
    Column(
        id="errors", title="errors", words="batches that failed since the gateway began",
        width=6, rank=10, unit="", value=lambda r: r.node.work.failures_total, cell=_errors_cell,
    ),
    Column(
        id="age", title="age", words="how old its last heartbeat is, in seconds", width=6, rank=17,
        unit="s", value=lambda r: r.node.heartbeat_age_s, cell=_age_cell,
    ),
)  # fmt: skip
