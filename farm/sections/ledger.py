"""What is kept of the joules and the money that requests took."""

from typing import Annotated

from pydantic import Field

from farm.sections.section import Section
from farm.sections.words import HomePath


class Ledger(Section):
    """Where the ledger is and how much of it is kept; a Pi's disk is a card that wears."""

    enabled: bool = True
    dir: Annotated[
        HomePath | None, Field(description="by default `ledger` in the state directory")
    ] = None
    batch_days: Annotated[float, Field(gt=0, description="single batches are kept for")] = 30
    minute_days: Annotated[float, Field(gt=0, description="sums by the minute are kept for")] = 730
    max_bytes: Annotated[
        int, Field(ge=8 << 20, description="on disk; beyond it the oldest go first")
    ] = 1 << 30
