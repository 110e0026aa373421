"""An event as one line, with as much of it as there is room for."""

from typing import Final

from farm.core.events import FarmEvent, Severity
from tui.glyphs import Glyphs
from tui.readings.cell_text import Line, Role, clean, cut_off, fitted, line_width
from tui.readings.quantities import clock_time, day_and_time

_ROLES: Final = {
    Severity.INFO: Role.MUTED,
    Severity.WARNING: Role.WARNING,
    Severity.ERROR: Role.ERROR,
}
# From which width on the severity has its word, and the time always its day.
_WORD_FROM: Final = 64
_DAY_FROM: Final = 100
_SEVERITY: Final = 7
_KIND: Final = 18
# Longer names of nodes and models are cut off.
_SUBJECT_LEAST: Final = 8
_SUBJECT_MOST: Final = 24


def kind_words(kind: str) -> str:
    """Return a kind as people say it: "node lost"."""
    return clean(kind).replace("_", " ")


def event_line(event: FarmEvent, width: int, glyphs: Glyphs, *, with_day: bool = False) -> Line:
    """Return an event in `width` cells; what has no room at the end is cut off.

    `with_day` is for events that are not all of today.
    """
    role = _ROLES[event.severity]
    severity, kind = glyphs.severities[event.severity], kind_words(event.kind)
    if width >= _WORD_FROM:
        severity = f"{severity} {event.severity:<{_SEVERITY}}"
        kind = fitted(kind, _KIND, glyphs.cut)
    time = (day_and_time if with_day or width >= _DAY_FROM else clock_time)(event.unix_ns)
    named = min(max(width // 8, _SUBJECT_LEAST), _SUBJECT_MOST)
    line = [
        (f"{time} ", Role.MUTED),
        (f"{severity} {kind} ", role),
        (f"{fitted(event.subject, named, glyphs.cut)} ", Role.STRONG),
    ]
    left = max(width - line_width(line), 0)
    return cut_off([*line, (fitted(event.detail, left, glyphs.cut), Role.PLAIN)], width, glyphs.cut)
