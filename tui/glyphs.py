"""Every symbol of the screen that is no letter, and what stands for it in plain ASCII.

Each takes one cell, in both. A symbol never stands alone for a state: a word is beside it, or
close by.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from farm.core.energy import EnergySource
from farm.core.events import Severity
from farm.core.models import ModelState
from farm.core.nodes import NodeState
from tui.sources.source import LinkState


@dataclass(frozen=True, slots=True, kw_only=True)
class Glyphs:
    """The symbols of one alphabet.

    `levels` rise from the least value of a sparkline to the greatest, `shades` fill the last
    cell of a bar by eighths, the whole cell being the last of them; `bar_rest` is what is left of
    it. `sources` go with figures.
    """

    nodes: Mapping[NodeState, str]
    models: Mapping[ModelState, str]
    sources: Mapping[EnergySource, str]
    severities: Mapping[Severity, str]
    links: Mapping[LinkState, str]
    levels: str
    shades: str
    bar_rest: str
    rising: str
    falling: str
    marked: str
    warning: str
    cut: str
    separator: str


def glyphs(ascii_only: bool) -> Glyphs:
    """Return the symbols that a terminal can show."""
    return _ASCII if ascii_only else _UNICODE


_UNICODE = Glyphs(
    nodes={
        NodeState.JOINING: "◌",
        NodeState.READY: "●",
        NodeState.SUSPECT: "◐",
        NodeState.CORDONED: "◇",
        NodeState.EJECTED: "◍",
        NodeState.LOST: "✗",
    },
    models={
        ModelState.LOADING: "◌",
        ModelState.READY: "●",
        ModelState.UNLOADING: "◐",
        ModelState.UNAVAILABLE: "✗",
    },
    sources={
        EnergySource.MEASURED: "■",
        EnergySource.MODELLED: "≈",
        EnergySource.ASSUMED: "?",
    },
    severities={Severity.INFO: "·", Severity.WARNING: "▲", Severity.ERROR: "✗"},
    links={
        LinkState.CONNECTING: "◌",
        LinkState.UP: "●",
        LinkState.DOWN: "✗",
        LinkState.ENDED: "■",
    },
    levels="▁▂▃▄▅▆▇█",
    shades="▏▎▍▌▋▊▉█",
    bar_rest="░",
    rising="▲",
    falling="▼",
    marked="▌",
    warning="▲",
    cut="…",
    separator="·",
)

_ASCII = Glyphs(
    nodes={
        NodeState.JOINING: ".",
        NodeState.READY: "o",
        NodeState.SUSPECT: "?",
        NodeState.CORDONED: "-",
        NodeState.EJECTED: "!",
        NodeState.LOST: "x",
    },
    models={
        ModelState.LOADING: ".",
        ModelState.READY: "o",
        ModelState.UNLOADING: "-",
        ModelState.UNAVAILABLE: "x",
    },
    sources={
        EnergySource.MEASURED: "=",
        EnergySource.MODELLED: "~",
        EnergySource.ASSUMED: "?",
    },
    severities={Severity.INFO: ".", Severity.WARNING: "!", Severity.ERROR: "x"},
    links={
        LinkState.CONNECTING: ".",
        LinkState.UP: "o",
        LinkState.DOWN: "x",
        LinkState.ENDED: "=",
    },
    levels="_.,-=+*#",
    shades="   :::##",
    bar_rest=".",
    rising="^",
    falling="v",
    marked=">",
    warning="!",
    cut="~",
    separator="|",
)
