"""Which events an operator wants to see, as typed: `pi-07 kind:throttled !severity:info`."""

from typing import Final, TypeAlias

from farm.core.events import FarmEvent
from tui.readings import word_filters
from tui.readings.word_filters import Parts, WordFilter

EventFilter: TypeAlias = WordFilter[FarmEvent]

_PARTS: Final[Parts[FarmEvent]] = {
    "kind": lambda event: event.kind,
    "severity": lambda event: event.severity,
    "subject": lambda event: event.subject,
    "detail": lambda event: event.detail,
}


def parsed(text: str) -> EventFilter:
    """Return the filter that a text asks for; never raises."""
    return word_filters.parsed(text, _PARTS)
