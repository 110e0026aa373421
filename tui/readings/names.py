"""Names as people read and sort them."""

import re
from functools import lru_cache


@lru_cache(maxsize=1_024)
def natural(name: str) -> tuple[tuple[int, str], ...]:
    """Return a key that sorts pi-2 before pi-10."""
    return tuple(
        (int(part), "") if part.isascii() and part.isdigit() else (-1, part.lower())
        for part in re.split(r"([0-9]{1,18})", name)
    )


@lru_cache(maxsize=256)
def short_board(board: str) -> str:
    """Return a board's name as people say it: "Pi 4B", "Pi 5", "CM4", "Zero 2 W"."""
    name = re.sub(r" Rev .*", "", board.removeprefix("Raspberry Pi ")).strip()
    if found := re.fullmatch(r"([0-9]+) Model ([A-Z])( Plus|\+)?", name):
        number, letter, plus = found.groups()
        # From the fifth on there is but one model.
        return f"Pi {number}" if int(number) >= 5 else f"Pi {number}{letter}{'+' if plus else ''}"
    return name.replace("Compute Module ", "CM")
