"""Which key does what, and which keys an operator would rather have."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import Final

from textual.binding import Binding
from textual.keys import Keys, format_key, key_to_character

from farm.core.errors import ConfigurationError


class Place(StrEnum):
    """Where a key counts; the words are headings of the help."""

    EVERYWHERE = "everywhere"
    TABLES = "in tables"
    OVERVIEW = "overview"
    NODE = "node"
    MODEL = "model"
    COST = "cost"
    EVENTS = "events"
    PARTS = "node and model"
    REPLAY = "recording"
    QUESTION = "question"


@dataclass(frozen=True, slots=True)
class Key:
    """An action's keys as Textual names them, with commas between; where; and what it does."""

    keys: str
    place: Place
    words: str


# By the id of the binding, which is how an operator names it too.
KEYS: Final[Mapping[str, Key]] = {
    "overview": Key("1", Place.EVERYWHERE, "overview"),
    "models": Key("2", Place.EVERYWHERE, "models"),
    "cost": Key("3", Place.EVERYWHERE, "cost"),
    "events": Key("4", Place.EVERYWHERE, "events"),
    "back": Key("escape", Place.EVERYWHERE, "back"),
    "help": Key("?", Place.EVERYWHERE, "help"),
    "palette": Key(":,ctrl+p", Place.EVERYWHERE, "commands"),
    "theme": Key("t", Place.EVERYWHERE, "light or dark"),
    "export": Key("e", Place.EVERYWHERE, "export"),
    "quit": Key("q", Place.EVERYWHERE, "quit"),
    "up": Key("up,k", Place.TABLES, "up"),
    "down": Key("down,j", Place.TABLES, "down"),
    "page_up": Key("pageup", Place.TABLES, "page up"),
    "page_down": Key("pagedown", Place.TABLES, "page down"),
    "first": Key("home,g", Place.TABLES, "first"),
    "last": Key("end,G", Place.TABLES, "last"),
    "open": Key("enter", Place.TABLES, "open"),
    "filter": Key("/", Place.TABLES, "filter"),
    "sort": Key("s", Place.TABLES, "sort"),
    "sort_reverse": Key("S", Place.TABLES, "sort reversed"),
    "columns": Key("c", Place.OVERVIEW, "columns"),
    "next_alert": Key("n", Place.OVERVIEW, "next alert"),
    "previous_alert": Key("N", Place.OVERVIEW, "previous alert"),
    "cordon": Key("o", Place.NODE, "cordon"),
    "uncordon": Key("u", Place.NODE, "uncordon"),
    "drain": Key("d", Place.NODE, "drain"),
    "restart": Key("R", Place.NODE, "restart"),
    "log": Key("l", Place.NODE, "log"),
    "span": Key("z", Place.NODE, "how far back plots go"),
    "next_pane": Key("tab", Place.PARTS, "next part"),
    "previous_pane": Key("shift+tab", Place.PARTS, "part before"),
    "load": Key("L", Place.MODEL, "load"),
    "unload": Key("U", Place.MODEL, "unload"),
    "period": Key("z", Place.COST, "how far back"),
    "follow": Key("f", Place.EVENTS, "follow, or stand still"),
    "pause": Key("space", Place.REPLAY, "pause or go on"),
    "slower": Key("[", Place.REPLAY, "slower"),
    "faster": Key("]", Place.REPLAY, "faster"),
    "seek_back": Key("left", Place.REPLAY, "back in time"),
    "seek_forward": Key("right", Place.REPLAY, "on in time"),
    "yes": Key("y", Place.QUESTION, "yes"),
    "no": Key("n,escape", Place.QUESTION, "no"),
    "export_csv": Key("c", Place.QUESTION, "export as CSV"),
    "export_json": Key("j", Place.QUESTION, "export as JSON"),
    "export_svg": Key("s", Place.QUESTION, "export as a picture"),
}

# What everybody knows: the last to be told, and nothing to look for by its name.
MOVING: Final = frozenset({"up", "down", "page_up", "page_down", "first", "last", "back"})

_MODIFIERS: Final = frozenset({"ctrl", "shift", "alt", "super"})
_NAMES: Final = frozenset(key.value for key in Keys)
# Only one of these is on the screen at a time; a question takes every key to itself.
_APART: Final = frozenset({Place.OVERVIEW, Place.NODE, Place.MODEL, Place.COST, Place.EVENTS})


def bound(name: str, action: str = "", *, show: bool = False, priority: bool = False) -> Binding:
    """Return the binding of an action of `KEYS`: to the method of the same name, or `action`.

    `show` puts it into the footer.
    """
    key = KEYS[name]
    return Binding(key.keys, action or name, key.words, show=show, priority=priority, id=name)


def key_of(name: str, overrides: Mapping[str, str]) -> str:
    """Return the first key of an action as it is shown; `overrides` are an operator's own keys."""
    return format_key(overrides.get(name, KEYS[name].keys).split(",")[0])


def checked_keys(given: Mapping[str, str]) -> Mapping[str, str]:
    """Return keys by action, to stand for those of `KEYS`, if they can.

    Raises:
        ConfigurationError: there is no such action or key, or two actions would have the same
            key at the same place.
    """
    for name, keys in given.items():
        if name not in KEYS:
            raise ConfigurationError(
                f"keys: there is no action '{name}'; known are {', '.join(KEYS)}"
            )
        for key in _split(keys):
            if not _known(key):
                raise ConfigurationError(
                    f"keys: {name} = '{keys}': there is no key '{key}'; keys are written x, X,"
                    " ctrl+x, f5, space, pageup, several of them with commas between"
                )
    taken: dict[str, list[str]] = {}
    for name, default in KEYS.items():
        for key in _split(given.get(name, default.keys)):
            taken.setdefault(key_to_character(key) or key, []).append(name)
    for key, names in taken.items():
        for one, other in combinations(names, 2):
            if _meet(KEYS[one].place, KEYS[other].place):
                raise ConfigurationError(
                    f"keys: {one} and {other} would both be '{key}'; give one of them another key"
                )
    return {name: ",".join(_split(keys)) for name, keys in given.items()}


def _split(keys: str) -> list[str]:
    return [key.strip() for key in keys.split(",")]


def _known(key: str) -> bool:
    *modifiers, last = key.split("+") if len(key) > 1 else [key]
    if not set(modifiers) <= _MODIFIERS:
        return False
    return last.isprintable() if len(last) == 1 else last in _NAMES or bool(key_to_character(last))


def _meet(one: Place, other: Place) -> bool:
    """Whether keys of two places count at the same time."""
    if one is other:
        return True
    return Place.QUESTION not in {one, other} and not {one, other} <= _APART
