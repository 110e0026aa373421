"""Which versions of models an operator wants to see, as typed: `digits state:ready !int8`."""

from collections.abc import Sequence
from typing import Final, TypeAlias

from tui.readings import filters
from tui.readings.filters import Filter, Part
from tui.readings.reading import ModelReading

ModelFilter: TypeAlias = Filter[ModelReading]

PARTS: Final[Sequence[Part[ModelReading]]] = (
    Part(name="model", text=lambda version: str(version.model.key)),
    Part(name="state", text=lambda version: version.model.state),
    Part(name="node", text=lambda version: "\n".join(version.model.ready_nodes)),
    Part(name="digest", text=lambda version: version.model.digest),
    Part(name="why", text=lambda v: f"{v.model.reason}\n{v.model.batching_reason}"),
)


def parsed(text: str) -> ModelFilter:
    """Return the filter that a text asks for; never raises."""
    return filters.parsed(text, PARTS)
