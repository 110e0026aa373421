"""Whatever is painted, in ASCII, for terminals that have nothing else."""

import unicodedata
from functools import lru_cache
from typing import Final

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

# What borders, scrollbars and braille plots are drawn with, and cannot be told letter by letter.
_BLOCKS: Final = {
    "─━╌╍┄┅┈┉═╴╶╸╺▔▁▂▃": "-",
    "│┃╎╏┆┇┊┋║╵╷╹╻▏▎▍▌▐▕": "|",
    "▀▄▅▆▇█▉▊▋▓▒▊": "#",
    "░": ".",
    "·•": ".",
    "●◉": "o",
    "×✗✘": "x",
    "–—−": "-",
    "‘’": "'",
    "“”": '"',
    "…": "~",
    "←": "<",
    "→": ">",
    "↑▲": "^",
    "↓▼": "v",
    "µμ": "u",
    "≈": "~",
    "°": " ",
}
_PLAIN: Final = {symbol: plain for symbols, plain in _BLOCKS.items() for symbol in symbols}


class PlainText(LineFilter):
    """Replaces every character beyond ASCII by one, or some, of the same width."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [
            segment if segment.text.isascii() else segment._replace(text=plain(segment.text))
            for segment in segments
        ]


@lru_cache(4096)
def plain(text: str) -> str:
    """Return a text in ASCII that takes as many cells."""
    return "".join(map(_character, text))


def _character(character: str) -> str:
    if character.isascii():
        return character
    if character in _PLAIN:
        return _PLAIN[character]
    if "\u2500" <= character <= "\u257f":
        return "+"
    if "\u2800" <= character <= "\u28ff":
        return " " if character == "\u2800" else ":"
    width = cell_len(character)
    letters = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return letters if len(letters) == width else "?" * width
