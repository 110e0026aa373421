"""A quantity over time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from rich.segment import Segment
from textual.strip import Strip

from tui.readings import quantities
from tui.readings.scales import Scale
from tui.widgets.canvas import Canvas, Dots
from tui.widgets.painted import Painted

# Room for the numbers of the axis: "100 ms", "1.2k", "850 mW".
_GUTTER: Final = 8
# Points of a history are up to half a minute apart; where more is missing nothing was known.
_GAP_NS: Final = 75_000_000_000
# No quantity of a farm comes near it: whoever tells more is broken.
_MOST: Final = 1e12
# From this height and width on there is room for the axis of time.
_AXIS_HEIGHT: Final = 5
_AXIS_WIDTH: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """What a plot shows: its name, how a value is told, and the axis for some values."""

    title: str
    tell: Callable[[float | None], str]
    scale: Callable[[Sequence[float]], Scale]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Values and their moments, the oldest first; None where nothing was known."""

    unix_ns: Sequence[int] = ()
    values: Sequence[float | None] = ()


class Plot(Painted):
    """Draws one quantity, with its latest value and its range in the title."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"plot--title", "plot--line", "plot--axis"}
    DEFAULT_CSS = """
    Plot {
        height: 1fr;
        min-height: 4;
        & > .plot--title { text-style: bold; }
        & > .plot--line { color: $primary; }
        & > .plot--axis { color: $text-muted; }
    }
    """

    def __init__(self, quantity: Quantity, *, ascii_only: bool, id: str | None = None) -> None:
        super().__init__(id=id)
        self._quantity = quantity
        self._ascii_only = ascii_only
        self._series = Series()
        self._span_s = 0.0
        self._lines: list[tuple[str, str, str]] | None = None

    def draw(self, series: Series, span_s: float) -> None:
        """Show values of the last `span_s` seconds, which end with the last moment."""
        self._series, self._span_s = series, span_s
        self._lines = None
        self.refresh()

    def on_resize(self) -> None:
        self._lines = None

    def render_line(self, y: int) -> Strip:
        if self._lines is None:
            self._lines = plotted(
                self._quantity,
                self._series,
                self._span_s,
                size=(self.size.width, self.size.height),
                ascii_only=self._ascii_only,
            )
        if y >= len(self._lines):
            return Strip.blank(self.size.width, self.rich_style)
        kind, label, text = self._lines[y]
        segments = [
            Segment(label, self.get_component_rich_style("plot--axis")),
            Segment(text, self.get_component_rich_style(f"plot--{kind}")),
        ]
        return Strip(segments).adjust_cell_length(self.size.width, self.rich_style)


def plotted(
    quantity: Quantity,
    series: Series,
    span_s: float,
    *,
    size: tuple[int, int],
    ascii_only: bool,
) -> list[tuple[str, str, str]]:
    """Return the lines of a plot: their kind (title, line or axis), their label, their text."""
    width, height = size
    ends = series.unix_ns[-1] if series.unix_ns else 0
    begins = ends - round(span_s * 1e9)
    shown = [
        (at, value if value is not None and abs(value) < _MOST else None)
        for at, value in zip(series.unix_ns, series.values, strict=True)
        if at >= begins
    ]
    known = [value for _, value in shown if value is not None]
    lines = [("title", "", _title(quantity, shown, known))]
    if not known or height < 2 or width <= _GUTTER:
        return lines
    scale = quantity.scale(known)
    with_axis = height >= _AXIS_HEIGHT and width >= _AXIS_WIDTH
    canvas = Canvas(width - _GUTTER, height - 1 - with_axis, ascii_only=ascii_only)
    canvas.line(_dots(shown, begins, ends, scale, canvas))
    drawn = canvas.lines()
    labels = {0: quantity.tell(scale.high), len(drawn) - 1: quantity.tell(scale.low)}
    lines += [
        ("line", f"{labels.get(number, '')[: _GUTTER - 1]:>{_GUTTER - 1}} ", text)
        for number, text in enumerate(drawn)
    ]
    if with_axis:
        ago = f"-{quantities.age(span_s)}"
        lines.append(("axis", " " * _GUTTER, f"{ago}{'now':>{width - _GUTTER - len(ago)}}"))
    return lines


def _title(
    quantity: Quantity, shown: Sequence[tuple[int, float | None]], known: Sequence[float]
) -> str:
    if not shown:
        return f"{quantity.title}: waiting for the first sample"
    if not known:
        return f"{quantity.title}: nothing known"
    now, least, most = map(quantity.tell, (shown[-1][1], min(known), max(known)))
    span = "" if least == most else f"  {least} to {most}"
    return f"{quantity.title} {now}{span}"


def _dots(
    shown: Sequence[tuple[int, float | None]], begins: int, ends: int, scale: Scale, canvas: Canvas
) -> Dots:
    before: int | None = None
    for at, value in shown:
        if before is not None and at - before > _GAP_NS:
            yield None
        before = at
        if value is None:
            yield None
            continue
        column = (at - begins) * (canvas.columns - 1) // max(ends - begins, 1)
        yield column, round(scale.place(value) * (canvas.rows - 1))
