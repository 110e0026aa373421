"""Cells of text in columns."""

from collections.abc import Collection, Sequence
from itertools import zip_longest

from rich.cells import cell_len


def aligned(rows: Sequence[Sequence[str]], *, right: Collection[int] = ()) -> list[str]:
    """Return rows as lines with their cells below each other; columns of `right` end alike."""
    widths = [max(map(cell_len, column)) for column in zip_longest(*rows, fillvalue="")]
    return [
        "  ".join(
            _padded(cell, width, at in right)
            for at, (cell, width) in enumerate(zip(row, widths, strict=False))
        ).rstrip()
        for row in rows
    ]


def _padded(cell: str, width: int, to_the_right: bool) -> str:
    room = " " * (width - cell_len(cell))
    return room + cell if to_the_right else cell + room
