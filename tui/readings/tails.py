"""The end of a log that is read again and again."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from farm.core.histories import LogLine

# Lines that are kept: what a screen can scroll through without becoming heavy.
KEPT: Final = 500
# Lines that are asked for once the first ones are known.
_AGAIN: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLines:
    """Lines that were not known yet; before them others came too fast to be told if `cut`."""

    lines: Sequence[LogLine]
    cut: bool


class Tail:
    """The last lines of a log."""

    def __init__(self) -> None:
        self._known: deque[LogLine] = deque(maxlen=KEPT)

    @property
    def wanted(self) -> int:
        """How many lines of the end are to be read next."""
        return _AGAIN if self._known else KEPT

    def take(self, told: Sequence[LogLine]) -> NewLines:
        """Take the end of a log as it is now; what overlaps with what is known is not new."""
        known = list(self._known)[-len(told) :] if told else []
        overlap = next(
            (n for n in range(len(known), 0, -1) if known[-n:] == list(told[:n])),
            0,
        )
        new = told[overlap:]
        self._known.extend(new)
        return NewLines(lines=new, cut=bool(known and new and not overlap))
