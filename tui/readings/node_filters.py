"""Which nodes an operator wants to see, as typed: `pi-1 state:ready temp>=70 !board:zero`.

Numbers are in the units that the columns have.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

from tui.readings import filters
from tui.readings.columns import COLUMNS
from tui.readings.filters import Filter, Part
from tui.readings.reading import NodeReading

NodeFilter: TypeAlias = Filter[NodeReading]

PARTS: Final[Sequence[Part[NodeReading]]] = (
    *(
        Part(
            name=column.id,
            text=column.text,
            number=None if column.unit is None else column.value,
        )
        for column in COLUMNS
        if column.text is not None or column.unit is not None
    ),
    Part(name="why", text=lambda reading: reading.node.reason),
)


def parsed(text: str) -> NodeFilter:
    """Return the filter that a text asks for; never raises."""
    return filters.parsed(text, PARTS)
