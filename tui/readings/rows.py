"""The rows of the table of nodes: in which order, with which of the columns."""

from collections.abc import Sequence
from typing import Final

from farm.core.nodes import NodeState
from tui.glyphs import Glyphs
from tui.readings.cell_text import Cell, Role, fitted
from tui.readings.columns import Column
from tui.readings.names import natural
from tui.readings.reading import NodeReading

_NARROWEST_NODE: Final = 8
_WIDEST_NODE: Final = 32


def fitting(columns: Sequence[Column], width: int, longest: int) -> list[tuple[Column, int]]:
    """Return the columns that fit into so many cells, one apart, each with its width.

    `longest` are the cells of the longest name of a node; it gets a quarter of the table, or
    what it needs.
    """
    named = min(longest, max(_NARROWEST_NODE, width // 4), _WIDEST_NODE)
    taken = -1
    chosen: dict[str, int] = {}
    for column in sorted(columns, key=lambda each: each.rank):
        wide = max(column.width, named) if column.id == "node" else column.width
        if taken + 1 + wide <= width or not chosen:
            chosen[column.id] = wide
            taken += 1 + wide
    left = width - taken
    for column in columns:
        if column.id in chosen and left > 0 and column.grows:
            more = min(left, column.grows - chosen[column.id])
            chosen[column.id] += more
            left -= more
    return [(column, chosen[column.id]) for column in columns if column.id in chosen]


def titles(columns: Sequence[tuple[Column, int]], by: Column, arrow: str, cut: str) -> str:
    """Return the line above the rows, with an arrow at the column that they are ordered by."""
    return " ".join(
        fitted(
            column.title[: width - 1] + arrow if column is by else column.title,
            width,
            cut,
            right=column.right,
        )
        for column, width in columns
    )


def cells(
    reading: NodeReading, columns: Sequence[tuple[Column, int]], glyphs: Glyphs
) -> tuple[Cell, ...]:
    """Return what columns show of a node; all that a lost one told is muted, for it is past."""
    if reading.node.state is not NodeState.LOST:
        return tuple(column.cell(reading, glyphs, width) for column, width in columns)
    shown = [(column.id, column.cell(reading, glyphs, width)) for column, width in columns]
    return tuple(
        cell if name in ("node", "state") else (cell[0], Role.MUTED) for name, cell in shown
    )


def ordered(
    nodes: Sequence[NodeReading], column: Column, *, reverse: bool = False
) -> list[NodeReading]:
    """Return nodes by a column, the largest first where that is its way, or the other way round.

    What is not known comes last either way, and equals come by name.
    """
    named = sorted(nodes, key=lambda each: natural(each.node.node_id))
    valued = [(column.value(each), each) for each in named]
    known = [pair for pair in valued if pair[0] is not None]
    known.sort(key=lambda pair: pair[0], reverse=column.largest_first is not reverse)
    return [each for _, each in known] + [each for value, each in valued if value is None]
