"""The farm in a few figures, the most important first."""

from collections.abc import Iterator, Sequence
from typing import Final

from farm.core.nodes import NodeState
from farm.core.snapshots import GatewayState
from tui.glyphs import Glyphs
from tui.readings.cell_text import Cell, Line, Role, clean, cut_off, line_width
from tui.readings.quantities import count, joules, money, rate, seconds, watts
from tui.readings.reading import Reading
from tui.readings.sparkline import sparkline
from tui.readings.trends import LENGTH

_APART: Final = "  "
# The shortest trend that tells anything.
_TREND_CELLS: Final = 10
# Nodes that cannot serve, the worst first.
_FAILED: Final = (NodeState.LOST, NodeState.EJECTED)
_OUT: Final = (*_FAILED, NodeState.SUSPECT, NodeState.CORDONED, NodeState.JOINING)


def headline(
    reading: Reading | None, glyphs: Glyphs, *, width: int, lines: int
) -> list[list[Cell]]:
    """Return lines of at most `width` cells; what finds no room is left out, the last first."""
    if reading is None:
        return [[("waiting for first sample", Role.MUTED)]]
    laid = _laid_out([*_state(reading), *_figures(reading, glyphs)], width, lines, glyphs.cut)
    _add_trend(laid, reading, glyphs, width, lines)
    return laid


def _state(reading: Reading) -> Iterator[Line]:
    snapshot = reading.snapshot
    serving = snapshot.gateway_state is GatewayState.SERVING
    yield [
        (clean(snapshot.farm_name) or "farm", Role.STRONG),
        (f" {snapshot.gateway_state}", Role.GOOD if serving else Role.WARNING),
    ]
    up, known = reading.states.get(NodeState.READY, 0), len(reading.nodes)
    out = [(state, reading.states[state]) for state in _OUT if state in reading.states]
    failed = any(state in _FAILED for state, _ in out) or not up
    role = Role.ERROR if failed else Role.WARNING if out else Role.PLAIN
    told = "".join(f", {number} {state}" for state, number in out)
    yield [(f"{up} of {known}", role), (" up", Role.MUTED), (told, role)]


def _figures(reading: Reading, glyphs: Glyphs) -> Iterator[Line]:
    rates = reading.rates
    queued = reading.snapshot.queued_requests
    yield [(rate(rates.requests_per_s), Role.STRONG), (" req/s", Role.MUTED)]
    yield [("p50 ", Role.MUTED), (seconds(rates.p50_s), Role.PLAIN)]
    yield [("p95 ", Role.MUTED), (seconds(rates.p95_s), Role.PLAIN)]
    yield [("queue ", Role.MUTED), (count(queued), Role.PLAIN)]
    yield [(watts(reading.power, glyphs.sources), Role.PLAIN)]
    yield [(joules(rates.joules_per_request), Role.PLAIN), ("/req", Role.MUTED)]
    yield [
        (money(rates.cost_per_1000, rates.currency), Role.PLAIN),
        (" per 1,000", Role.MUTED),
        *_baseline(reading),
    ]


def _baseline(reading: Reading) -> Iterator[Cell]:
    rates = reading.rates
    if rates.baseline:
        yield f", {clean(rates.baseline)} ", Role.MUTED
        yield money(rates.baseline_per_1000, rates.baseline_currency), Role.PLAIN


def _laid_out(figures: Sequence[Line], width: int, lines: int, cut: str) -> list[list[Cell]]:
    laid: list[list[Cell]] = [[]]
    taken = 0
    for figure in figures:
        wide = line_width(figure)
        if taken and taken + len(_APART) + wide > width:
            if len(laid) == lines:
                break
            laid.append([])
            taken = 0
        if taken:
            laid[-1].append((_APART, Role.PLAIN))
            taken += len(_APART)
        laid[-1] += cut_off(figure, width, cut)
        taken += wide
    return laid


def _add_trend(
    laid: list[list[Cell]], reading: Reading, glyphs: Glyphs, width: int, lines: int
) -> None:
    """Fill what is left of the last line with the requests a second over time, or one more."""
    told = f"{_APART}req/s "
    left = width - line_width(laid[-1]) - len(told)
    if left < _TREND_CELLS:
        if len(laid) == lines:
            return
        laid.append([])
        told = told.lstrip()
        left = width - len(told)
    trend = sparkline(reading.trends.requests_per_s, min(left, LENGTH), glyphs.levels)
    laid[-1] += [(told, Role.MUTED), (trend, Role.TREND)]
