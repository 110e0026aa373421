"""Values over time as one line of characters."""

from collections.abc import Iterable, Sequence
from itertools import islice
from math import ceil

# What a sparkline shows where nothing was known.
GAP = " "


def sparkline(
    values: Sequence[float | None], width: int, levels: str, *, top: float | None = None
) -> str:
    """Return the latest values, the newest at the right, as characters of `levels`.

    Levels are in equal steps from 0 to `top`, by default to the greatest value in sight: what is
    above 0 at all is above the least level too.
    """
    seen = list(islice(reversed(values), width))
    highest = _highest(seen) if top is None else top
    last = len(levels) - 1
    steps = last / highest if highest > 0 else 0.0
    drawn = "".join(
        # In this order a value that is no number is the least one.
        GAP if value is None else levels[ceil(min(last, max(0.0, value * steps)))]
        for value in reversed(seen)
    )
    return drawn.rjust(width, GAP)


def _highest(values: Iterable[float | None]) -> float:
    return max((value for value in values if value is not None), default=0.0)
