"""The last door before the terminal: whatever is painted cannot steer it."""

from functools import lru_cache
from typing import Final

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

# Joins emoji into one, and steers nothing.
_JOINER: Final = "\N{ZERO WIDTH JOINER}"


class Harmless(LineFilter):
    """Takes out what would move a cursor, change colours or turn the direction of writing.

    Screens show the text of others by `farm.core.text.printable`, where such a character can be
    seen by its number. This is for those that do not, and for what Textual paints of its own.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [
            segment
            if segment.text.isprintable() or segment.control
            else segment._replace(text=harmless(segment.text))
            for segment in segments
        ]


@lru_cache(4096)
def harmless(text: str) -> str:
    """Return a text that steers no terminal and takes as many cells."""
    return "".join(
        character
        if character.isprintable() or character == _JOINER
        else (" " if character.isspace() else "?") * cell_len(character)
        for character in text
    )
