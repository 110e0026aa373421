"""How fast a board's cores are, so that clouds are compared with the work and not with the board.

A cloud is not slow because a farm is: what takes a Raspberry Pi 4 six seconds takes a cloud's
vCPU about one. So a board's seconds are brought to those of one kind of core, for which baselines
state their speed.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final

from farm.core.energy import EnergySource
from farm.energy.boards import board

# The core for which baselines state their speed.
REFERENCE: Final = "one core of a Raspberry Pi 5"


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """A board's core: its seconds for what takes the reference one, and who says so.

    `basis` is MODELLED where the board was timed by others, with other models, else ASSUMED.
    """

    relative_time: float
    basis: EnergySource
    note: str

    def reference_s(self, core_s: float) -> float:
        """Return the seconds that the reference core would have taken for its `core_s`."""
        return core_s / self.relative_time


@lru_cache(maxsize=256)
def core_of(name: str) -> Core:
    """Return the core of a board by its id or by the name that its firmware gives it."""
    known = board(name)
    return _cores().get(known.id if known else "", _UNKNOWN)


_UNKNOWN: Final = Core(
    relative_time=1.0, basis=EnergySource.ASSUMED, note=f"nobody timed it; taken as {REFERENCE}"
)


@cache
def _cores() -> Mapping[str, Core]:
    text = files("farm.energy").joinpath("data", "cores.toml").read_text(encoding="utf-8")
    return {
        name: Core(
            relative_time=row["relative_time"], basis=EnergySource.MODELLED, note=row["note"]
        )
        for name, row in tomllib.loads(text).items()
    }
