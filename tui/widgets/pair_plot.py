"""Two lines over one axis: the farm's is drawn through, the other one's is dashed."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from tui.readings.cell_text import Cell, Line, Role, clean
from tui.readings.pairs import Pair, Points
from tui.readings.scales import Scale, from_zero
from tui.widgets.canvas import Canvas, Dots
from tui.widgets.lines import Lines

# Room for the numbers of the axis: "0.0123".
_GUTTER: Final = 9
# From which height on there is room for the axis below the lines, and for a mark on it.
_AXIS_FROM: Final = 5
_MARK_FROM: Final = 7
# Values further apart than this are told apart on a logarithmic axis alone.
_FAR: Final = 30.0
# Of so many cells of a dashed line the last one is empty.
_DASH: Final = 3


class PairPlot(Lines):
    """Draws a pair of lines as large as it is itself."""

    DEFAULT_CSS = "PairPlot { height: 1fr; min-height: 6; }"

    def __init__(self, *, ascii_only: bool, id: str | None = None) -> None:
        super().__init__(id=id)
        self._ascii_only = ascii_only
        self._pair = Pair(title="")

    def draw(self, pair: Pair) -> None:
        self._pair = pair
        self._plot()

    def on_resize(self) -> None:
        self._plot()

    def _plot(self) -> None:
        width, height = self.size
        self.show_lines(plotted(self._pair, width, height, ascii_only=self._ascii_only))


def plotted(pair: Pair, width: int, height: int, *, ascii_only: bool) -> list[Line]:
    """Return a plot as lines of text: the title, the lines, what stands below."""
    lines: list[Line] = [[(clean(pair.title), Role.STRONG)]]
    known = [
        value
        for _, value in (*pair.ours, *pair.theirs)
        if value is not None and math.isfinite(value) and value >= pair.least
    ]
    if not known or height < 2 or width <= _GUTTER:
        return lines
    axis = _Axis.over(known, pair.least)
    below = list(_below(pair, width - _GUTTER, height))
    size = width - _GUTTER, height - 1 - len(below)
    drawn = [
        _drawn(points, axis, *size, ascii_only=ascii_only) for points in (pair.ours, pair.theirs)
    ]
    labels = {0: pair.tell(axis.high), size[1] - 1: pair.tell(axis.low)}
    for number, (ours, theirs) in enumerate(zip(*drawn, strict=True)):
        label = f"{labels.get(number, '')[: _GUTTER - 1]:>{_GUTTER - 1}} "
        lines.append([(label, Role.MUTED), *_overlaid(ours, theirs)])
    lines += [[(" " * _GUTTER + text, Role.MUTED)] for text in below]
    return lines


@dataclass(frozen=True, slots=True, kw_only=True)
class _Axis:
    """The upright axis, between two values; a logarithmic one where they are far apart."""

    low: float
    high: float
    scale: Scale
    log: bool

    @classmethod
    def over(cls, values: Sequence[float], least: float) -> "_Axis":
        above = [value for value in values if value > 0]
        if not above or max(above) < _FAR * max(min(above), least):
            scale = from_zero(values)
            return cls(low=scale.low, high=scale.high, scale=scale, log=False)
        low, high = min(above), max(above)
        scale = Scale(low=math.log10(low), high=math.log10(high))
        return cls(low=low, high=high, scale=scale, log=True)

    def place(self, value: float | None) -> float | None:
        """Return where a value is, 0 to 1; None for one that cannot be shown."""
        if value is None or not math.isfinite(value) or not self.low <= value <= self.high:
            return None
        return self.scale.place(math.log10(value) if self.log else value)


def _drawn(points: Points, axis: _Axis, width: int, height: int, *, ascii_only: bool) -> list[str]:
    canvas = Canvas(width, height, ascii_only=ascii_only)

    def dots() -> Dots:
        for at, value in points:
            place = axis.place(value)
            if place is None:
                yield None
            else:
                yield round(at * (canvas.columns - 1)), round(place * (canvas.rows - 1))

    canvas.line(dots())
    return canvas.lines()


def _overlaid(ours: str, theirs: str) -> Iterator[Cell]:
    """Yield a line of the plot in pieces; where both are ours is before theirs."""
    cells = [
        (our, Role.TREND) if our != " " else (" " if at % _DASH == _DASH - 1 else their, Role.PLAIN)
        for at, (our, their) in enumerate(zip(ours, theirs, strict=True))
    ]
    for role, pieces in groupby(cells, key=lambda cell: cell[1]):
        yield "".join(text for text, _ in pieces), role


def _below(pair: Pair, width: int, height: int) -> Iterator[str]:
    """Yield what stands below the lines: a mark, and both ends of the axis."""
    if pair.mark is not None and height >= _MARK_FROM:
        at, name = pair.mark
        column = round(at * (width - 1))
        told = f"{name} ^" if column >= len(name) + 1 else f"^ {name}"
        yield f"{told:>{column + 1}}" if told.endswith("^") else " " * column + told
    if height >= _AXIS_FROM:
        yield f"{pair.left}{pair.right:>{max(width - len(pair.left), 0)}}"
