"""What a power meter says when it is asked, and how to tell numbers from anything else."""

import math
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One answer: watts now, joules that the meter has counted since some moment, or both.

    `tick` is something that the meter changes at least every `tick_s` while it lives, like
    its clock; empty where it has nothing of the kind.
    """

    watts: float | None = None
    counted_j: float | None = None
    tick: str = ""
    tick_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Fault:
    """Why there is no reading and what to do: what follows the meter's name in a sentence."""

    text: str


class Device(Protocol):
    """A meter that can be asked. `label` names it: its type, and where it is."""

    label: str

    def read(self) -> Reading | Fault:
        """Ask it once. Never raises, and blocks for a few seconds at most."""
        ...


def number(value: object, unit: float = 1.0) -> float | None:
    """Return a JSON value times what its unit is worth, or None unless that is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value) * unit
    except OverflowError:
        return None
    return found if math.isfinite(found) else None
