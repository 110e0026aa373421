"""The farm in a few figures, the most important first."""

from collections.abc import Iterator, Sequence
from typing import Final

from rich.cells import cell_len

from farm.core.snapshots import GatewayState
from tui.glyphs import Glyphs
from tui.readings.cell_text import clean, fitted
from tui.readings.columns import Cell, Role
from tui.readings.quantities import count, joules, money, rate, seconds, watts
from tui.readings.reading import Reading
from tui.readings.sparkline import sparkline

_APART: Final = "  "
_TREND_CELLS: Final = 30

# Pieces that stay on one line.
_Figure = Sequence[Cell]


def headline(
    reading: Reading | None, glyphs: Glyphs, *, width: int, lines: int
) -> list[list[Cell]]:
    """Return lines of at most `width` cells; what finds no room is left out, the last first."""
    if reading is None:
        return [[("waiting for first sample", Role.MUTED)]]
    figures = [*_state(reading), *_figures(reading, glyphs)]
    return _laid_out(figures, width, lines, glyphs.cut)


def _state(reading: Reading) -> Iterator[_Figure]:
    snapshot = reading.snapshot
    serving = snapshot.gateway_state is GatewayState.SERVING
    yield [
        (clean(snapshot.farm_name) or "farm", Role.STRONG),
        (f" {snapshot.gateway_state}", Role.GOOD if serving else Role.WARNING),
    ]
    up, known = reading.nodes_up, len(reading.nodes)
    yield [(f"{up}/{known}", Role.PLAIN if up == known else Role.ERROR), (" nodes up", Role.MUTED)]


def _figures(reading: Reading, glyphs: Glyphs) -> Iterator[_Figure]:
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
    trend = sparkline(reading.trends.requests_per_s, _TREND_CELLS, glyphs.levels)
    yield [("req/s ", Role.MUTED), (trend, Role.TREND)]


def _baseline(reading: Reading) -> Iterator[Cell]:
    rates = reading.rates
    if rates.baseline:
        yield f" {clean(rates.baseline)} ", Role.MUTED
        yield money(rates.baseline_per_1000, rates.baseline_currency), Role.PLAIN


def _laid_out(figures: Sequence[_Figure], width: int, lines: int, cut: str) -> list[list[Cell]]:
    laid: list[list[Cell]] = [[]]
    taken = 0
    for figure in figures:
        wide = sum(cell_len(text) for text, _ in figure)
        if taken and taken + len(_APART) + wide > width:
            if len(laid) == lines:
                break
            laid.append([])
            taken = 0
        if taken:
            laid[-1].append((_APART, Role.PLAIN))
            taken += len(_APART)
        laid[-1] += figure if wide <= width else _cut(figure, width, cut)
        taken += wide
    return laid


def _cut(figure: _Figure, width: int, cut: str) -> Iterator[Cell]:
    """Yield what a line has room for of a figure that is wider."""
    for text, role in figure:
        if width > 0:
            yield (text if cell_len(text) <= width else fitted(text, width, cut)), role
        width -= cell_len(text)
