"""What repeats is told once in a while: the log and the events are for people."""

from dataclasses import dataclass
from typing import Final

# Sources that are told apart; of more, the one that was told longest ago is forgotten.
_SOURCES: Final = 1024


@dataclass(slots=True)
class _Told:
    """When a source was told last, and how often it came since."""

    at: float
    untold: int = 0


class Rarely:
    """Says when it is time to tell of a source again, and how often it came meanwhile.

    Whoever repeats something without end holds up what is told of themselves, not of others.
    For one thread, or for one source.
    """

    def __init__(self, *, apart_s: float) -> None:
        self._apart_s = apart_s
        # By source, the one that was told longest ago first.
        self._told: dict[str, _Told] = {}

    def due(self, source: str, now: float) -> int | None:
        """Return how often it came since it was told last; None if it is not to be told now."""
        last = self._told.get(source)
        if last is not None and now - last.at < self._apart_s:
            last.untold += 1
            return None
        self._told.pop(source, None)
        if len(self._told) >= _SOURCES:
            self._told.pop(next(iter(self._told)), None)
        self._told[source] = _Told(now)
        return 0 if last is None else last.untold
