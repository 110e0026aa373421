"""What boards draw, as far as it was published: ranges by kind of board, from the data file.

A board's typical watts are those of its first source. The range spans all sources, and is at
least as wide as sources were found to differ where a board has several: by a factor of two,
so from the typical figure over the square root of two to that times it.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import sqrt
from typing import Any, Final

from farm.core.energy import Band, EnergySource
from farm.energy.power import PowerModel

_FILE: Final = "boards.toml"

# Two sources of one board differ by no more.
_SPREAD: Final = sqrt(2)

# Assumed. A server shares its fans, supply and disks among dozens of cores; a small machine has
# them for a few, and may be built to save power, or not.
_UNKNOWN_SPREAD: Final = 4.0

# A board's id may say how much memory it has, which its watts do not depend on here.
_MEMORY = re.compile(r"-\d+[gm]b\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Watts that somebody published; `of` says of what, where that needs words."""

    watts: float
    source: str
    date: str
    of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A kind of single-board computer; of its figures the first are typical.

    `firmware` is how its device tree's name begins.
    """

    id: str
    name: str
    firmware: str
    cores: int
    idle: tuple[Figure, ...]
    load: tuple[Figure, ...]

    @property
    def power(self) -> PowerModel:
        """Its modelled watts."""
        return PowerModel(
            idle=_band(self.idle, _SPREAD),
            load=_band(self.load, _SPREAD),
            source=EnergySource.MODELLED,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Data:
    boards: Mapping[str, Board]
    unknown_idle: tuple[Figure, ...]
    unknown_load: tuple[Figure, ...]


def boards() -> Mapping[str, Board]:
    """Return every board that has figures, by its id."""
    return _data().boards


def board(name: str) -> Board | None:
    """Return a board by an inventory's id or its device tree's name; None where unknown.

    An id may end in the memory, as in "rpi5-8gb"; a device tree's name goes on with a revision,
    as in "Raspberry Pi 5 Model B Rev 1.0".
    """
    known = boards()
    named = known.get(_MEMORY.sub("", name))
    if named is not None:
        return named
    return next(
        (each for each in known.values() if f"{name} ".startswith(f"{each.firmware} ")), None
    )


def power_model(of: Board | None, *, cores: int) -> PowerModel:
    """Return a board's model; of a machine that is none of them an assumption by its cores."""
    if of is not None:
        return of.power
    data = _data()
    return PowerModel(
        idle=_band(data.unknown_idle, _UNKNOWN_SPREAD).times(cores),
        load=_band(data.unknown_load, _UNKNOWN_SPREAD).times(cores),
        source=EnergySource.ASSUMED,
    )


def _band(figures: tuple[Figure, ...], spread: float) -> Band:
    typical = figures[0].watts
    watts = [figure.watts for figure in figures]
    return Band(min(*watts, typical / spread), typical, max(*watts, typical * spread))


@cache
def _data() -> _Data:
    text = files("farm.energy").joinpath("data", _FILE).read_text(encoding="utf-8")
    content = tomllib.loads(text)

    def figures(rows: Iterable[Mapping[str, Any]]) -> tuple[Figure, ...]:
        sources = content["sources"]
        return tuple(
            Figure(
                watts=row["watts"],
                source=sources[row["source"]]["name"],
                date=sources[row["source"]]["date"],
                of=row.get("of", ""),
            )
            for row in rows
        )

    found = {
        name: Board(
            id=name,
            name=row["name"],
            firmware=row["firmware"],
            cores=row["cores"],
            idle=figures(row["idle"]),
            load=figures(row["load"]),
        )
        for name, row in content["boards"].items()
    }
    core = content["unknown_core"]
    return _Data(
        boards=found, unknown_idle=figures(core["idle"]), unknown_load=figures(core["load"])
    )
