"""Two lines that are compared."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

# Where a point is, from 0 on the left to 1 on the right, and its value; None is a gap.
Points: TypeAlias = Sequence[tuple[float, float | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """What a plot shows: a title, two lines, and the ends of the axis below them.

    `tell` tells a value of the axis beside them. Values below `least` are not drawn. `mark` is a
    place that is named.
    """

    title: str
    ours: Points = ()
    theirs: Points = ()
    tell: Callable[[float], str] = "{:.3g}".format
    least: float = 0.0
    left: str = ""
    right: str = ""
    mark: tuple[float, str] | None = None
