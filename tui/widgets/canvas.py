"""Lines drawn with characters: pure, and quick enough for several a second."""

from collections.abc import Iterable
from typing import Final, TypeAlias

# Where a line goes, in dots; None is a gap.
Dots: TypeAlias = Iterable[tuple[int, int] | None]

# Bits of a Braille character by column and row of its dots, the uppermost first (Unicode 16,
# section 21.1).
_BRAILLE: Final = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
_BRAILLE_BASE: Final = 0x2800
# By the same bits: nothing, the upper dot, the lower one, both.
_ASCII: Final = " '.:"


class Canvas:
    """A field of dots, several of them a character: two by four in Braille, one by two in ASCII.

    The dot (0, 0) is the lowest on the left.
    """

    def __init__(self, width: int, height: int, *, ascii_only: bool) -> None:
        """`width` and `height` count characters."""
        self._ascii_only = ascii_only
        self._across, self._down = (1, 2) if ascii_only else (2, 4)
        self.columns = width * self._across
        self.rows = height * self._down
        self._cells = [[0] * width for _ in range(height)]

    def line(self, dots: Dots) -> None:
        """Draw a line through dots that go from left to right, joined where there is no gap."""
        last: tuple[int, int] | None = None
        for dot in dots:
            if dot is not None:
                column, row = dot
                if last is None:
                    self._run(column, row, row)
                else:
                    self._join(last, column, row)
            last = dot

    def lines(self) -> list[str]:
        """Return what is drawn, the uppermost line first."""
        if self._ascii_only:
            return ["".join(_ASCII[bits] for bits in cells) for cells in self._cells]
        return [
            "".join(chr(_BRAILLE_BASE + bits) if bits else " " for bits in cells)
            for cells in self._cells
        ]

    def _join(self, last: tuple[int, int], column: int, row: int) -> None:
        """Draw from a dot, which is there already, to one that is not left of it."""
        from_column, from_row = last
        steps = column - from_column
        if steps <= 0:
            self._run(from_column, from_row, row)
            return
        before = from_row
        for step in range(1, steps + 1):
            after = from_row + round((row - from_row) * step / steps)
            # Without a hole where the line is steep, and not twice at the row it came from.
            start = before + (after > before) - (after < before)
            self._run(from_column + step, start, after)
            before = after

    def _run(self, column: int, row: int, other: int) -> None:
        """Draw all dots of a column between two rows."""
        if not 0 <= column < self.columns:
            return
        low, high = (row, other) if row <= other else (other, row)
        bits = (1, 2) if self._ascii_only else _BRAILLE[column % 2]
        cell = column // self._across
        for at in range(max(low, 0), min(high, self.rows - 1) + 1):
            line, dot = divmod(self.rows - 1 - at, self._down)
            self._cells[line][cell] |= bits[dot]
