"""Which events an operator wants to see, as typed: `pi-07 kind:throttled !severity:info`."""

from collections.abc import Sequence
from typing import Final, TypeAlias

from farm.core.events import FarmEvent
from tui.readings import filters
from tui.readings.filters import Filter, Part

EventFilter: TypeAlias = Filter[FarmEvent]

PARTS: Final[Sequence[Part[FarmEvent]]] = (
    Part(name="kind", text=lambda event: event.kind),
    Part(name="severity", text=lambda event: event.severity),
    Part(name="subject", text=lambda event: event.subject),
    Part(name="detail", text=lambda event: event.detail),
)


def parsed(text: str) -> EventFilter:
    """Return the filter that a text asks for; never raises."""
    return filters.parsed(text, PARTS)
