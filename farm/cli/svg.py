"""Charts as SVG: lines and stacked bars over two axes, told apart without colour.

Colours are classes and come from the page's style sheet, so that they suit a dark page, too. A
line has a dash pattern and its name at its end; a part of a bar has a hatching.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from typing import Final

from farm.cli.axes import Axis

WIDTH: Final = 760
HEIGHT: Final = 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 88, 160, 26, 46
_LABEL_HEIGHT: Final = 15
_CHARACTER: Final = 6.6

Point = tuple[float, float]


@dataclass(slots=True)
class Canvas:
    """A chart that is drawn upon; `image` returns what was drawn. Text is escaped here."""

    x: Axis
    y: Axis
    name: str
    _drawn: list[str] = field(default_factory=list, init=False)
    _labels: list[tuple[float, str, str]] = field(default_factory=list, init=False)

    def line(self, points: Sequence[Point], label: str, series: int) -> None:
        """Draw a line through points, a dot if it is but one; its label stands at its end."""
        at = [self._at(point) for point in points]
        if len(at) == 1:
            ((x, y),) = at
            self._drawn.append(f'<circle class="dot s{series}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>')
        elif at:
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
            self._drawn.append(f'<polyline class="line s{series}" points="{path}"/>')
        if label and at:
            self._labels.append((at[-1][1], label, f"s{series}"))

    def bar(self, start: float, end: float, parts: Sequence[float]) -> None:
        """Draw a bar of parts that are stacked, one series each."""
        (left, _), (right, _) = self._at((start, 0.0)), self._at((end, 0.0))
        gap = min(1.0, (right - left) / 5)
        for series, (low, high) in enumerate(pairwise(_sums(parts))):
            if high > low:
                bottom, top = self._at((start, low))[1], self._at((start, high))[1]
                shape = (
                    f'x="{left + gap:.1f}" y="{top:.1f}" width="{right - left - 2 * gap:.1f}"'
                    f' height="{max(bottom - top, 0.5):.1f}"'
                )
                self._filled(shape, series)

    def legend(self, labels: Sequence[str]) -> None:
        """Name the parts of bars, the first at the bottom as in a bar."""
        x, y = WIDTH - _RIGHT + 12, HEIGHT - _BOTTOM - 14
        for series, label in enumerate(labels):
            shape = f'x="{x}" y="{y - 20 * series}" width="14" height="14"'
            self._filled(shape, series)
            self._drawn.append(_text(x + 20, y - 20 * series + 11, label, "label"))

    def upright(self, x: float, label: str) -> None:
        """Draw an upright line with a label above it."""
        at, _ = self._at((x, self.y.high))
        bottom = HEIGHT - _BOTTOM
        self._drawn.append(
            f'<line class="mark" x1="{at:.1f}" y1="{_TOP}" x2="{at:.1f}" y2="{bottom}"/>'
        )
        half = len(label) * _CHARACTER / 2
        middle = min(max(at, half + 4), WIDTH - half - 4)
        self._drawn.append(_text(middle, _TOP - 9, label, "label", "middle"))

    def ring(self, point: Point, said: str) -> None:
        """Mark a point; what it is is said to whoever points at it."""
        x, y = self._at(point)
        self._drawn.append(
            f'<circle class="ring" cx="{x:.1f}" cy="{y:.1f}" r="5"><title>{escape(said)}</title>'
            "</circle>"
        )

    def image(self, title: str, description: str) -> str:
        """Return the SVG; both texts are what is read out in its stead."""
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
            f' aria-labelledby="{self.name}-title {self.name}-description">',
            f'<title id="{self.name}-title">{escape(title)}</title>',
            f'<desc id="{self.name}-description">{escape(description)}</desc>',
            self._hatchings(),
            *self._axes(),
            *self._drawn,
            *self._line_labels(),
            "</svg>",
        ]
        return "\n".join(parts)

    def _filled(self, shape: str, series: int) -> None:
        """Draw a rectangle in the colour of a series, hatched if it is not the first."""
        self._drawn.append(f'<rect class="bar s{series}" {shape}/>')
        if series:
            self._drawn.append(f'<rect {shape} fill="url(#{self.name}-hatch{series})"/>')

    def _at(self, point: Point) -> Point:
        x = _LEFT + self.x.share(point[0]) * (WIDTH - _LEFT - _RIGHT)
        y = HEIGHT - _BOTTOM - self.y.share(point[1]) * (HEIGHT - _TOP - _BOTTOM)
        return x, y

    def _axes(self) -> list[str]:
        right, bottom = WIDTH - _RIGHT, HEIGHT - _BOTTOM
        drawn = []
        for value, label in self.y.ticks:
            _, y = self._at((self.x.low, value))
            drawn.append(
                f'<line class="grid" x1="{_LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/>'
            )
            drawn.append(_text(_LEFT - 8, y + 4, label, "tick", "end"))
        for value, label in self.x.ticks:
            x, _ = self._at((value, self.y.low))
            drawn.append(
                f'<line class="axis" x1="{x:.1f}" y1="{bottom}" x2="{x:.1f}" y2="{bottom + 5}"/>'
            )
            drawn.append(_text(x, bottom + 18, label, "tick", "middle"))
        drawn.append(f'<line class="axis" x1="{_LEFT}" y1="{bottom}" x2="{right}" y2="{bottom}"/>')
        drawn.append(_text((_LEFT + right) / 2, HEIGHT - 8, self.x.title, "label", "middle"))
        middle = (_TOP + bottom) / 2
        drawn.append(
            f'<text class="label" text-anchor="middle" transform="translate(14 {middle:.0f})'
            f' rotate(-90)">{escape(self.y.title)}</text>'
        )
        return drawn

    def _line_labels(self) -> list[str]:
        """Return the labels at the lines' ends, moved apart where they would lie on each other."""
        drawn, free = [], _TOP + 4.0
        labels = sorted(self._labels)
        room = HEIGHT - _BOTTOM - _LABEL_HEIGHT * (len(labels) - 1)
        for index, (y, label, series) in enumerate(labels):
            at = max(min(y + 4, room + _LABEL_HEIGHT * index), free)
            drawn.append(_text(WIDTH - _RIGHT + 8, at, label, f"label {series}"))
            free = at + _LABEL_HEIGHT
        return drawn

    def _hatchings(self) -> str:
        lines = "M0,6 L6,0 M-1,1 L1,-1 M5,7 L7,5"
        return (
            f'<defs><pattern id="{self.name}-hatch1" width="6" height="6"'
            f' patternUnits="userSpaceOnUse"><path class="hatch" d="{lines}"/></pattern>'
            f'<pattern id="{self.name}-hatch2" width="5" height="5" patternUnits="userSpaceOnUse">'
            '<circle class="speck" cx="2.5" cy="2.5" r="1.2"/></pattern></defs>'
        )


def _sums(parts: Sequence[float]) -> list[float]:
    sums = [0.0]
    for part in parts:
        sums.append(sums[-1] + part)
    return sums


def _text(x: float, y: float, text: str, classes: str, anchor: str = "start") -> str:
    return (
        f'<text class="{classes}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">'
        f"{escape(text)}</text>"
    )
