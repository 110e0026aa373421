"""What a Raspberry Pi's firmware says of its supply and its clock, as `get_throttled` tells it."""

from enum import StrEnum
from typing import Final


class Hold(StrEnum):
    """Why a board is held back, in the order of the flags' bits."""

    UNDER_VOLTAGE = "under-voltage"
    CAPPED = "clock capped"
    THROTTLED = "throttled"
    SOFT_LIMIT = "soft temperature limit"


# The same flags, this many bits higher, say that it has been so since the board was started.
_SINCE_START: Final = 16


def holds_now(flags: int) -> tuple[Hold, ...]:
    """Return what holds a board back now."""
    return tuple(hold for bit, hold in enumerate(Hold) if flags >> bit & 1)


def holds_since_start(flags: int) -> tuple[Hold, ...]:
    """Return what has held a board back at some time since it was started."""
    return holds_now(flags >> _SINCE_START)
