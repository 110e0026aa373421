"""Which versions of models an operator wants to see, as typed: `digits state:ready !int8`."""

from typing import Final, TypeAlias

from tui.readings import word_filters
from tui.readings.reading import ModelReading
from tui.readings.word_filters import Parts, WordFilter

ModelFilter: TypeAlias = WordFilter[ModelReading]

_PARTS: Final[Parts[ModelReading]] = {
    "model": lambda version: str(version.model.key),
    "state": lambda version: version.model.state,
    "node": lambda version: "\n".join(version.model.ready_nodes),
    "digest": lambda version: version.model.digest,
    "why": lambda version: f"{version.model.reason}\n{version.model.batching_reason}",
}


def parsed(text: str) -> ModelFilter:
    """Return the filter that a text asks for; never raises."""
    return word_filters.parsed(text, _PARTS)
