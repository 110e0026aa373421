"""Text of a farm's as a terminal may show it: on one line, in so many cells, each in its role."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Final, TypeAlias

from rich.cells import cell_len, set_cell_size

from farm.core.text import printable

# Longer than any line.
_MOST: Final = 1_000


class Role(StrEnum):
    """What a text is to its reader; a theme has a colour for each."""

    PLAIN = "plain"
    STRONG = "strong"
    MUTED = "muted"
    GOOD = "good"
    WARNING = "warning"
    ERROR = "error"
    TREND = "trend"


Cell: TypeAlias = tuple[str, Role]
# Pieces that stand side by side.
Line: TypeAlias = Sequence[Cell]


def clean(text: str) -> str:
    """Return a text that steers no terminal."""
    return text if text.isprintable() else printable(text, _MOST)


def fitted(text: str, width: int, cut: str, *, right: bool = False) -> str:
    """Return a text filled up to `width` cells, on its left if it keeps `right`, or cut there."""
    text = clean(text)
    missing = width - cell_len(text)
    if missing < 0:
        return set_cell_size(text, width - 1) + cut if width > 0 else ""
    return " " * missing + text if right else text + " " * missing


def line_width(line: Line) -> int:
    """Return how many cells a line takes."""
    return sum(cell_len(text) for text, _ in line)


def cut_off(line: Line, width: int, cut: str) -> Line:
    """Return what a line has room for in `width` cells."""
    if line_width(line) <= width:
        return line
    left = []
    for text, role in line:
        if width <= 0:
            break
        left.append((text if cell_len(text) <= width else fitted(text, width, cut), role))
        width -= cell_len(text)
    return left
